/* list.h: a doubly linked list whose links live in the members (as in the Linux kernel). */
#ifndef TT_BASE_LIST_H
#define TT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tt_link {
    struct tt_link *prev, *next;
} tt_link;

static inline void tt_list_init(tt_link *l)
{
    l->prev = l->next = l;
}

static inline bool tt_list_empty(const tt_link *l)
{
    return l->next == l;
}

static inline void tt_list_append(tt_link *list, tt_link *item)
{
    item->prev = list->prev;
    item->next = list;
    list->prev->next = item;
    list->prev = item;
}

/* The item is a list of its own afterwards, so that removing it twice is harmless. */
static inline void tt_list_remove(tt_link *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    tt_list_init(item);
}

static inline tt_link *tt_list_pop(tt_link *list)
{
    tt_link *first = list->next;

    if (first == list)
        return NULL;
    tt_list_remove(first);
    return first;
}

/* Append all of `from` to `to`; `from` is empty afterwards. */
static inline void tt_list_splice(tt_link *to, tt_link *from)
{
    if (tt_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    tt_list_init(from);
}

#define TT_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
