-- TeachTrack: who teaches what to whom, and when. One statement ends with a semicolon at the end of
-- a line; a comment has a line of its own.

CREATE TABLE schools (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    name VARCHAR(80) NOT NULL,
    city VARCHAR(40) NOT NULL,
    founded SMALLINT UNSIGNED NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE teachers (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    school_id INT UNSIGNED NOT NULL,
    name VARCHAR(80) NOT NULL,
    email VARCHAR(120) NOT NULL,
    KEY of_school (school_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE learners (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    school_id INT UNSIGNED NOT NULL,
    name VARCHAR(80) NOT NULL,
    grade TINYINT UNSIGNED NOT NULL,
    born DATE NOT NULL,
    KEY of_school (school_id, grade)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE subjects (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    school_id INT UNSIGNED NOT NULL,
    teacher_id INT UNSIGNED NOT NULL,
    title VARCHAR(80) NOT NULL,
    grade TINYINT UNSIGNED NOT NULL,
    seats SMALLINT NOT NULL,
    KEY of_school (school_id, grade),
    KEY of_teacher (teacher_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE lessons (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    subject_id INT UNSIGNED NOT NULL,
    starts DATETIME NOT NULL,
    minutes SMALLINT UNSIGNED NOT NULL,
    room VARCHAR(10) NOT NULL,
    topic VARCHAR(80) NOT NULL,
    note VARCHAR(80) NULL,
    KEY of_subject (subject_id, starts)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
