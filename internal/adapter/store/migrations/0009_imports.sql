-- +goose Up

-- What imports have brought from elsewhere. The id is that of the thing where it came from, the target the id or name that it
-- has here. The mark says what the thing looked like when it was brought whole; it is empty before. Last is what the source had when it
-- was sent last, without what never changes: an import changes here only what has changed there since.
CREATE TABLE imported (
    kind   TEXT NOT NULL,
    id     TEXT NOT NULL,
    target TEXT NOT NULL,
    mark   TEXT NOT NULL,
    last   TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;
