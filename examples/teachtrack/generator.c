#include "teachtrack/generator.h"

#include <stdio.h>

const teach_data teach_small = {.seed = 2024,
                                .rows = {[TEACH_SCHOOLS] = 100,
                                         [TEACH_TEACHERS] = 4000,
                                         [TEACH_LEARNERS] = 40000,
                                         [TEACH_SUBJECTS] = 6000,
                                         [TEACH_LESSONS] = 160000}};

const teach_table_info teach_tables[TEACH_TABLES] = {
    [TEACH_SCHOOLS] = {"schools", "id, name, city, founded", 4},
    [TEACH_TEACHERS] = {"teachers", "id, school_id, name, email", 4},
    [TEACH_LEARNERS] = {"learners", "id, school_id, name, grade, born", 5},
    [TEACH_SUBJECTS] = {"subjects", "id, school_id, teacher_id, title, grade, seats", 6},
    [TEACH_LESSONS] = {"lessons", "id, subject_id, starts, minutes, room, topic, note", 7},
};

static const char *const first_names[] = {
    "Ada",    "Amara", "Anouk",  "Björn", "Chen",  "Chloé", "Diego", "Elif",  "Emil",  "Farid",
    "Fatima", "Grace", "Hanna",  "Igor",  "Inês",  "Ivan",  "Jamal", "Jonas", "Kemal", "Leila",
    "Łukasz", "Maja",  "Mateus", "Mina",  "Nadia", "Noah",  "Olga",  "Oskar", "Priya", "Rafael",
    "Renée",  "Rosa",  "Samir",  "Sofía", "Sven",  "Tamar", "Tomáš", "Yara",  "Yuki",  "Zoë"};
static const char *const last_names[] = {
    "Abebe",   "Åkesson",  "Almeida", "Bauer",   "Costa",  "Diallo",  "Dvořák", "Eriksen",
    "Fischer", "Gómez",    "Haddad",  "Hansen",  "Ito",    "Jensen",  "Kaya",   "Khan",
    "Kim",     "Kowalski", "Kumar",   "Lefèvre", "Lindt",  "López",   "Meyer",  "Mbeki",
    "Müller",  "Nakano",   "Novák",   "Okoro",   "Öztürk", "Papadou", "Petrov", "Ribeiro",
    "Rossi",   "Sato",     "Schmidt", "Silva",   "Singh",  "Tanaka",  "Weiss",  "Yılmaz"};
static const char *const cities[] = {"Ávila",  "Bergen", "Cork",    "Dresden", "Évora",
                                     "Gdańsk", "Graz",   "Izmir",   "Kyoto",   "Lyon",
                                     "Málaga", "Namur",  "Ostrava", "Porto",   "Uppsala"};
static const char *const kinds[] = {"Grammar School", "High School", "Lyceum", "Academy",
                                    "College"};
static const char *const titles[] = {"Algebra", "Art",    "Biology",    "Chemistry", "Economics",
                                     "English", "French", "Geography",  "Geometry",  "History",
                                     "Latin",   "Music",  "Philosophy", "Physics",   "Spanish"};
static const char *const topics[] = {"Introduction", "Exercises", "Project work", "Revision",
                                     "Test",         "Excursion", "Presentations"};
static const char *const notes[] = {"bring a ruler", "room changed", "guest speaker",
                                    "double lesson"};

#define PICK(state, list) ((list)[teach_below((state), sizeof(list) / sizeof((list)[0]))])

uint64_t teach_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t teach_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(((teach_random(state) >> 32) * n) >> 32);
}

uint32_t teach_school_of(const teach_data *data, uint32_t id)
{
    return (id - 1) % data->rows[TEACH_SCHOOLS] + 1;
}

/* A teacher of the same school: ids that are equal modulo the number of schools. */
static uint32_t teacher_of(const teach_data *data, uint32_t subject, uint64_t *state)
{
    uint32_t schools = data->rows[TEACH_SCHOOLS];

    return teach_school_of(data, subject) +
           schools * teach_below(state, data->rows[TEACH_TEACHERS] / schools);
}

/* Draws stand in statements of their own: the order of a call's arguments is the compiler's. */
static tt_value birthday(uint64_t *state, uint16_t year)
{
    tt_time t = {.year = year};

    t.month = (uint8_t)(1 + teach_below(state, 12));
    t.day = (uint8_t)(1 + teach_below(state, 28));
    return tt_time_of(TT_TYPE_DATE, t);
}

static tt_value lesson_start(uint64_t *state)
{
    tt_time t = {.year = 2025, .minutes = (uint8_t)(15 * teach_below(state, 4))};

    t.month = (uint8_t)(1 + teach_below(state, 12));
    t.day = (uint8_t)(1 + teach_below(state, 28));
    t.hours = 8 + teach_below(state, 9);
    return tt_time_of(TT_TYPE_DATETIME, t);
}

static tt_value person(uint64_t *state, char *text)
{
    const char *first = PICK(state, first_names);

    (void)snprintf(text, TEACH_TEXT_MAX, "%s %s", first, PICK(state, last_names));
    return tt_text(text);
}

static void make_school(uint64_t *state, teach_row *r)
{
    const char *city = PICK(state, cities), *kind = PICK(state, kinds);

    (void)snprintf(r->text[0], TEACH_TEXT_MAX, "%s %s", city, kind);
    r->values[1] = tt_text(r->text[0]);
    r->values[2] = tt_text(city);
    r->values[3] = tt_int(1850 + teach_below(state, 160));
}

static void make_teacher(uint64_t *state, uint32_t id, uint32_t school, teach_row *r)
{
    r->values[1] = tt_int(school);
    r->values[2] = person(state, r->text[0]);
    (void)snprintf(r->text[1], TEACH_TEXT_MAX, "teacher%u@school%u.example", id, school);
    r->values[3] = tt_text(r->text[1]);
}

static void make_learner(uint64_t *state, uint32_t school, teach_row *r)
{
    uint32_t grade = 5 + teach_below(state, 8);

    r->values[1] = tt_int(school);
    r->values[2] = person(state, r->text[0]);
    r->values[3] = tt_int(grade);
    r->values[4] = birthday(state, (uint16_t)(2019 - grade));
}

static void make_subject(const teach_data *data, uint64_t *state, uint32_t id, teach_row *r)
{
    uint32_t grade = 5 + teach_below(state, 8);

    r->values[1] = tt_int(teach_school_of(data, id));
    r->values[2] = tt_int(teacher_of(data, id, state));
    (void)snprintf(r->text[0], TEACH_TEXT_MAX, "%s %u", PICK(state, titles), grade);
    r->values[3] = tt_text(r->text[0]);
    r->values[4] = tt_int(grade);
    r->values[5] = tt_int(12 + teach_below(state, 21));
}

static void make_lesson(const teach_data *data, uint64_t *state, uint32_t id, teach_row *r)
{
    uint32_t lessons = data->rows[TEACH_LESSONS] / data->rows[TEACH_SUBJECTS];
    char wing;

    r->values[1] = tt_int((id - 1) / (lessons ? lessons : 1) % data->rows[TEACH_SUBJECTS] + 1);
    r->values[2] = lesson_start(state);
    r->values[3] = tt_int(teach_below(state, 4) ? 45 : 90);
    wing = (char)('A' + teach_below(state, 4));
    (void)snprintf(r->text[0], TEACH_TEXT_MAX, "%c%u", wing, 100 + teach_below(state, 30));
    r->values[4] = tt_text(r->text[0]);
    r->values[5] = tt_text(PICK(state, topics));
    r->values[6] = teach_below(state, 8) ? tt_null() : tt_text(PICK(state, notes));
}

void teach_row_make(const teach_data *data, enum teach_table table, uint32_t id, teach_row *out)
{
    uint64_t state = data->seed ^ ((uint64_t)table << 56) ^ ((uint64_t)id << 20);
    uint32_t school = teach_school_of(data, id);

    state = teach_random(&state); /* neighbours start far from each other */
    out->values[0] = tt_int(id);
    switch (table) {
    case TEACH_SCHOOLS:
        make_school(&state, out);
        break;
    case TEACH_TEACHERS:
        make_teacher(&state, id, school, out);
        break;
    case TEACH_LEARNERS:
        make_learner(&state, school, out);
        break;
    case TEACH_SUBJECTS:
        make_subject(data, &state, id, out);
        break;
    default:
        make_lesson(data, &state, id, out);
        break;
    }
}
