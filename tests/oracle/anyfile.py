"""Files in every form that SQLite allows, and what bots and people do to them between two scrapes."""

import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from .cells import CELLS
from .expected import LIVE
from .files import UPSTREAM

LAST = 2**63 - 1
ENCODINGS = ("UTF-8", "UTF-8", "UTF-16le", "UTF-16be")
PAGE_SIZES = (512, 1024, 4096, 65536)
JOURNALS = ("delete", "delete", "truncate", "persist", "wal")
STRICT_TYPES = ("ANY", "ANY", "TEXT", "INTEGER", "REAL", "BLOB")
ODD_COLUMNS = ('"a ""b"', "[group]", "`order by`", '"é"', '"rowid"', '"_rowid_"', '"oid"', '"hidden 1"')
KINDS = ("plain", "plain", "autoincrement", "autoincrement", "key", "strict", "view", "without rowid")


@dataclass
class Form:
    """A table as it was made: the name that rows are put under, and its columns' own spellings."""

    name: str
    base: str
    kind: str
    columns: dict[str, str]
    has_id: bool


class AnyFile:
    """One file. Every method but `close` is an edit; those that give False had nothing to do."""

    def __init__(self, path: Path, chance: Random, ids: int = 0) -> None:
        self.path, self._chance = path, chance
        self._connection = self._begun()
        self.forms: dict[str, Form] = {}
        self.generated: dict[str, str] = {}
        self.moves = 0
        """How often another file was moved to the path."""
        self._ids = ids
        for name in UPSTREAM:
            if chance.randrange(6):
                self._create(name)
        self._fill(8)

    def close(self) -> None:
        self._connection.close()

    def _begun(self) -> sqlite3.Connection:
        chance = self._chance
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA page_size = {chance.choice(PAGE_SIZES)}")
        connection.execute(f"PRAGMA encoding = '{chance.choice(ENCODINGS)}'")
        connection.execute(f"PRAGMA journal_mode = {chance.choice(JOURNALS)}")
        return connection

    def touch(self) -> None:
        """A commit that changes no row."""
        (version,) = self.execute("PRAGMA user_version").fetchone()
        self.execute(f"PRAGMA user_version = {version + 1}")

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        return self._connection.execute(statement, parameters)

    def _commit(self) -> None:
        # SQLite itself may have ended the transaction, where no row number was left.
        if self._connection.in_transaction:
            self.execute("COMMIT")

    # Forms

    def _spelt(self, name: str) -> str:
        return self._chance.choice((name, name, name, name, name.upper(), name.title()))

    def _create(self, name: str) -> None:
        chance = self._chance
        kind = chance.choice(KINDS)
        declared = {column: type_ for column, type_ in UPSTREAM[name].items() if column != "id"}
        columns: dict[str, str] = {}
        definitions = []
        key = self._key(name, kind)
        if key:
            definitions.append(key)
        for column, type_ in declared.items():
            is_left_out = not chance.randrange(12) if column in CELLS[name] else chance.randrange(3)
            if is_left_out and column != "key":
                continue
            columns[column] = self._spelt(column)
            plain = "" if not chance.randrange(6) else type_.replace("PRIMARY KEY", "")
            if kind == "strict":
                plain = chance.choice(STRICT_TYPES)
            definitions.append(f"{columns[column]} {plain}")
        if not chance.randrange(4):
            definitions.append(f"{chance.choice(ODD_COLUMNS)} {'ANY' if kind == 'strict' else ''}")
        if not chance.randrange(8) and columns:
            of = chance.choice([*columns.values()])
            type_ = "ANY" if kind == "strict" else ""
            made = chance.choice([*(column for column in CELLS[name] if column not in columns), "made"])
            definitions.append(f"{made} {type_} AS ({of}) {chance.choice(('STORED', 'VIRTUAL'))}")
            self.generated[name] = made
        if not definitions:
            definitions.append(f"nothing {'ANY' if kind == 'strict' else ''}")
        spelling = self._spelt(name)
        base = f"base of {name}" if kind == "view" else spelling
        options = {"strict": " STRICT", "without rowid": " WITHOUT ROWID"}.get(kind, "")
        self.execute(f'CREATE TABLE "{base}" ({", ".join(definitions)}){options}')
        if kind == "view":
            self.execute(f'CREATE VIEW "{spelling}" AS SELECT * FROM "{base}"')
        self.forms[name] = Form(spelling, base, kind, columns, bool(key))

    def _key(self, name: str, kind: str) -> str:
        chance = self._chance
        if name == "agent_decisions":
            if kind == "without rowid":
                return chance.choice(("id TEXT PRIMARY KEY", "id INTEGER PRIMARY KEY"))
            type_ = "TEXT" if kind == "strict" else "VARCHAR(50)"
            return chance.choice((f"id {type_} PRIMARY KEY", f"id {type_} PRIMARY KEY", f"id {type_}", ""))
        if kind == "autoincrement":
            return "id INTEGER PRIMARY KEY AUTOINCREMENT"
        if kind in ("key", "view", "without rowid", "strict") or name in LIVE:
            return "id INTEGER PRIMARY KEY"
        return ""

    # Rows

    def _row(self, name: str) -> dict[str, Any]:
        form, chance = self.forms[name], self._chance
        row = {
            form.columns[column]: make(chance)
            for column, make in CELLS[name].items()
            if column in form.columns
        }
        if name == "agent_decisions" and form.has_id:
            self._ids += 1
            row["id"] = f"dec_{self._ids * 7919 % 1000}_{self._ids}"
            if self._is_integer_key(form):
                row["id"] = self._ids
        if name == "system_config" and "key" in form.columns:
            self._ids += 1
            is_there = self.execute(
                f"SELECT 1 FROM \"{form.base}\" WHERE {form.columns['key']} = 'system_status'"
            )
            row[form.columns["key"]] = f"k{self._ids}" if is_there.fetchone() else "system_status"
        return row

    def _is_integer_key(self, form: Form) -> bool:
        found = self.execute("SELECT type FROM pragma_table_info(?) WHERE lower(name) = 'id'", (form.base,))
        return bool(found.fetchone() == ("INTEGER",))

    def _insert(self, name: str, row: Mapping[str, Any]) -> None:
        columns = ", ".join(f'"{column}"' for column in row)
        places = ", ".join("?" * len(row))
        values = f"({columns}) VALUES ({places})" if row else "DEFAULT VALUES"
        # What a STRICT table or its key does not take is not there.
        with suppress(sqlite3.IntegrityError, sqlite3.OperationalError, OverflowError):
            self.execute(f'INSERT INTO "{self.forms[name].base}" {values}', tuple(row.values()))

    def _fill(self, most: int) -> None:
        self.execute("BEGIN")
        for name in self.forms:
            number = self._first_number()
            for place in range(self._chance.randrange(most + 1)):
                row = self._row(name)
                if number is not None and self._numbered(name):
                    row[self._numbered(name)] = number + place * self._chance.choice((1, 1, 3))
                self._insert(name, row)
        self._commit()

    def _first_number(self) -> int | None:
        return self._chance.choice((None, None, None, 0, -3, -(2**63), 2**40, LAST - 4))

    def _numbered(self, name: str) -> str:
        """What a row number is given by, empty where the table has none."""
        form = self.forms[name]
        if name == "agent_decisions":
            return "" if form.kind == "without rowid" else "rowid"
        if form.has_id:
            return "id"
        return "rowid" if form.kind in ("plain", "strict") else ""

    def numbers(self, name: str) -> list[int]:
        number = self._numbered(name)
        if not number:
            return []
        found = self.execute(f'SELECT {number} FROM "{self.forms[name].base}" ORDER BY 1').fetchall()
        return [row[0] for row in found if isinstance(row[0], int)]

    # Edits

    def append(self) -> bool:
        self.execute("BEGIN")
        for name in self._some_tables():
            for _ in range(self._chance.randrange(1, 5)):
                self._insert(name, self._row(name))
        self._commit()
        return True

    def insert_at_any_number(self) -> bool:
        """Below the last row, in a gap, or far above."""
        for name in self._some_tables():
            numbers = self.numbers(name)
            if not numbers:
                continue
            free = {number + self._chance.choice((-1, 1, 5, 1000)) for number in numbers} - {*numbers}
            for number in [*free][: self._chance.randrange(1, 4)]:
                if -LAST <= number <= LAST and name not in LIVE:
                    self._insert(name, self._row(name) | {self._numbered(name): number})
        return True

    def delete_some(self) -> bool:
        for name in self._some_tables():
            numbers = self.numbers(name)
            gone = self._chance.sample(numbers, self._chance.randrange(len(numbers) + 1))
            self._delete(name, gone)
        return True

    def prune(self) -> bool:
        for name in self._some_tables():
            numbers = self.numbers(name)
            self._delete(name, numbers[: len(numbers) // 2])
        return True

    def _delete(self, name: str, numbers: list[int]) -> None:
        form = self.forms[name]
        for number in numbers:
            self.execute(f'DELETE FROM "{form.base}" WHERE {self._numbered(name)} = ?', (number,))

    def save_decisions_again(self) -> bool:
        form = self.forms.get("agent_decisions")
        if form is None or "outcome" not in form.columns or not form.has_id:
            return False
        base, outcome = form.base, form.columns["outcome"]
        ids = self.execute(f'SELECT id FROM "{base}" WHERE id IS NOT NULL').fetchall()
        for (id_,) in self._chance.sample(ids, min(3, len(ids))):
            text = CELLS["agent_decisions"]["outcome"](self._chance)
            with suppress(sqlite3.IntegrityError):
                self.execute(f'UPDATE "{base}" SET {outcome} = ? WHERE id = ?', (text, id_))
                if self._chance.randrange(2) and form.kind != "without rowid" and self._has_unique_id(base):
                    named = self._stored(base)
                    self.execute(
                        f'INSERT OR REPLACE INTO "{base}" ({named}) SELECT {named} FROM "{base}" WHERE id = ?',
                        (id_,),
                    )
        return True

    def _has_unique_id(self, base: str) -> bool:
        found = self.execute(
            "SELECT pk, type FROM pragma_table_info(?) WHERE lower(name) = 'id'", (base,)
        ).fetchone()
        return found is not None and found[0] == 1 and found[1] != "INTEGER"

    def _stored(self, base: str) -> str:
        found = self.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (base,)).fetchall()
        return ", ".join('"' + name.replace('"', '""') + '"' for (name,) in found)

    def change_live_rows(self) -> bool:
        for name in LIVE:
            form = self.forms.get(name)
            if form is not None and form.columns:
                column, spelling = self._chance.choice([*form.columns.items()])
                if column in CELLS[name] and column != "key":
                    with suppress(sqlite3.IntegrityError):
                        self.execute(
                            f'UPDATE "{form.base}" SET {spelling} = ?', (CELLS[name][column](self._chance),)
                        )
        return True

    def add_column(self) -> bool:
        """One of ours that was missing, or another one; with a default or without."""
        chance = self._chance
        name = chance.choice([*self.forms]) if self.forms else ""
        form = self.forms.get(name)
        if form is None or form.kind == "view":
            return False
        there = {*form.columns, self.generated.get(name)}
        missing = [column for column in CELLS[name] if column not in there]
        column = chance.choice([*missing, f"later {chance.randrange(10**6)}"])
        type_ = "ANY" if form.kind == "strict" else chance.choice(("", "TEXT", "INTEGER"))
        default = chance.choice(("", "", "DEFAULT 1", "DEFAULT 'x'", """DEFAULT '{"success":true}'"""))
        self.execute(f'ALTER TABLE "{form.base}" ADD COLUMN "{column}" {type_} {default}')
        if column in missing:
            form.columns[column] = f"{column}"
        return True

    def add_table(self) -> bool:
        missing = [name for name in UPSTREAM if name not in self.forms]
        if not missing:
            return False
        self._create(self._chance.choice(missing))
        return self.append()

    def rewrite_in_the_middle(self) -> bool:
        """Other moments in rows that were read, but for the first and the last one."""
        done = False
        for name in self._some_tables():
            form, numbers = self.forms[name], self.numbers(name)[1:-1]
            if numbers and "timestamp" in form.columns and name not in (*LIVE, "agent_decisions"):
                number = self._chance.choice(numbers)
                with suppress(sqlite3.IntegrityError):
                    moment = f"2024-01-01 00:00:{self._chance.randrange(60):02d}"
                    where = f"WHERE {self._numbered(name)} = ?"
                    self.execute(
                        f'UPDATE "{form.base}" SET {form.columns["timestamp"]} = ? {where}', (moment, number)
                    )
                    done = True
        return done

    def vacuum(self) -> bool:
        self.execute("VACUUM")
        return True

    def other_file(self) -> bool:
        """Another bot's file is moved over this one, or copied over it."""
        self._connection.close()
        for beside in ("-wal", "-shm", "-journal"):
            self.path.with_name(f"{self.path.name}{beside}").unlink(missing_ok=True)
        other = self.path.with_name("other.db")
        made = AnyFile(other, self._chance, self._ids)
        made.execute("PRAGMA journal_mode = delete")
        made.close()
        self.forms, self.generated, self._ids = made.forms, made.generated, made._ids
        if self._chance.randrange(2):
            other.replace(self.path)
            self.moves += 1
        else:
            self.path.write_bytes(other.read_bytes())
            other.unlink()
        self._connection = sqlite3.connect(self.path, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = OFF")
        return True

    def _some_tables(self) -> list[str]:
        names = [*self.forms]
        return self._chance.sample(names, self._chance.randrange(1, len(names) + 1)) if names else []
