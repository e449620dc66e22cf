"""Reads and rewrites case files: sections that begin with `--- kind [name]`; see README.md.

A file stays as it was written but for what is put behind `expect` and ` => `.
"""

import json


# Behind what Flink gives, if we refuse it.
MARK = " (refused here)"


class Section:
    def __init__(self, head, body):
        self.head, self.body = head, body
        self.kind, _, self.name = head.partition(" ")


class CaseFile:
    def __init__(self, path):
        self.path = path
        with open(path, encoding="utf-8") as file:
            text = file.read()
        parts = ("\n" + text).split("\n--- ")
        self.before = parts[0].lstrip("\n")
        self.sections = [Section(*(part.split("\n", 1) if "\n" in part else (part, ""))) for part in parts[1:]]

    def text(self):
        parts = [f"--- {section.head}\n{section.body}".rstrip("\n") for section in self.sections]
        # One empty line before each table and query.
        text = self.before.rstrip("\n") + "\n" if self.before else ""
        first = text
        for part in parts:
            starts = part.startswith(("--- table", "--- changes", "--- query", "--- ordered", "--- timed", "--- values"))
            text += ("\n" if starts and text != first else "") + part + "\n"
        return text

    def tables(self):
        """Name, columns, rows as lists of texts with None for NULL, and whether they are changes."""
        found = []
        for section in self.sections:
            if section.kind in ("table", "changes"):
                found.append([section.name, section.body.strip(), [], section.kind == "changes"])
            elif section.kind == "rows":
                found[-1][2] = [[read_cell(cell) for cell in line.split("|")] for line in lines(section.body)]
        return found

    def definitions(self):
        text = "\n".join(section.body for section in self.sections if section.kind == "define")
        return [part.strip() for part in (text + "\n").split(";\n") if part.strip()]

    def queries(self):
        """Each query's section with the sections that belong to it, by kind."""
        found = []
        for section in self.sections:
            if section.kind in ("query", "ordered", "timed"):
                found.append((section, {}))
            elif section.kind in ("batch", "expect", "refused"):
                found[-1][1][section.kind] = section
        return found

    def expect(self, query, types, rows):
        """Puts rows behind a query's `expect`."""
        _, parts = next(entry for entry in self.queries() if entry[0] is query)
        section = parts.get("expect")
        if section is None:
            section = Section("expect", "")
            last = parts.get("batch", query)
            self.sections.insert(self.sections.index(last) + 1, section)
        section.kind, section.name = "expect", "flink: " + "; ".join(types)
        section.head = f"expect {section.name}"
        section.body = "".join(" | ".join(map(written, row)) + "\n" for row in sorted(rows, key=lambda row: [c or "NULL" for c in row]))


class Line:
    """One of the expressions of a `values` section."""

    def __init__(self, text):
        self.sql, _, self.expected = text.rpartition(" => ") if " => " in text else (text, "", "")
        self.refused_here = self.expected.endswith(MARK)
        self.expected = self.expected.removesuffix(MARK)

    def fails(self):
        return self.expected == "fails"

    def text(self):
        return f"{self.sql.rstrip()} => {self.expected}{MARK if self.refused_here else ''}"


def lines(body):
    return [line for line in body.splitlines() if line.strip() and not line.startswith("#")]


def read_cell(text):
    text = text.strip()
    return None if text == "NULL" else json.loads(text) if text.startswith('"') else text


def written(cell):
    if cell is None:
        return "NULL"
    odd = cell == "" or cell != cell.strip() or cell.startswith('"') or any(c in cell for c in "|\n\r")
    return json.dumps(cell, ensure_ascii=False).replace("|", "\\u007c") if odd else cell
