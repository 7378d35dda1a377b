#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""modules.py ROOT...: check that no Rust modules depend on each other in a circle.

Each ROOT is the root file of a crate. A module depends on another one if a path
in it leads there: in a `use` or anywhere else, in tests too. A path that leads
to something a module re-exports counts as a dependency on that module.

Prints every circle. The exit status is 1 if there are any.
"""

import os
import re
import sys

TOKEN = re.compile(
    r"""
    //[^\n]* | /\*.*?\*/                          # comments
    | b?c?r(?P<hash>\#*)".*?"(?P=hash)            # raw strings
    | [bc]?"(?:\\.|[^"\\])*"                      # strings
    | b?'(?:\\.[^']*|[^'\\])'                     # characters
    | '[A-Za-z_]\w*                               # lifetimes
    | (?P<attr>\#!?\[)
    | (?P<word>[A-Za-z_]\w*)
    | (?P<sep>::)
    | (?P<mark>[^\s])
    """,
    re.VERBOSE | re.DOTALL,
)
PATH = re.compile(r'path\s*=\s*"([^"]*)"')


def tokens(text):
    """The words, separators and marks of Rust source, and values of #[path]."""
    found = []
    at = 0
    while match := TOKEN.search(text, at):
        at = match.end()
        if match["attr"]:
            end = closing(text, at)
            if path := PATH.search(text, at, end):
                found.append(("path", path[1]))
            at = end
        elif word := match["word"] or match["sep"] or match["mark"]:
            found.append(("word" if match["word"] else "mark", word))
    return found


def follows(found, at):
    """Whether a word continues a path, or is the scope of a `pub(in ...)`."""
    before = [word for _, word in found[max(at - 3, 0) : at]]
    return before[-1:] == ["::"] or before == ["pub", "(", "in"]


def closing(text, at):
    """The end of an attribute whose opening bracket is before `at`."""
    depth = 1
    while depth and at < len(text):
        match = TOKEN.search(text, at)
        if not match:
            return len(text)
        at = match.end()
        if match["attr"] or match["mark"] == "[":
            depth += 1
        elif match["mark"] == "]":
            depth -= 1
    return at


class Crate:
    """The modules of a crate: their files, by their paths."""

    def __init__(self, root, read=None):
        self.read = read or read_file
        self.files = {}
        self.inline = set()
        self.paths = []
        self.load((), root, os.path.dirname(root))

    def load(self, module, file, directory):
        """Reads a module's file and those of its submodules, which are in `directory`."""
        self.files[module] = file
        found = tokens(self.read(file))
        self.scan(module, found, 0, directory)

    def scan(self, module, found, at, directory):
        """Scans the body of a module, to its closing brace."""
        depth = 0
        path = None
        while at < len(found):
            kind, word = found[at]
            if kind == "path":
                path = word
            elif word == "mod" and kind == "word" and at + 2 < len(found):
                name, after = found[at + 1][1], found[at + 2][1]
                child = module + (name,)
                if after == ";":
                    self.load(child, *self.place(name, path, directory))
                    at += 2
                elif after == "{":
                    self.inline.add(child)
                    inner = os.path.normpath(os.path.join(directory, path or name))
                    at = self.scan(child, found, at + 3, inner)
                path = None
            elif word == "{":
                depth += 1
            elif word == "}":
                if depth == 0:
                    return at
                depth -= 1
            elif kind == "word" and not follows(found, at):
                def report(path):
                    self.paths.append((module, path))

                if word == "use":
                    at = tree(found, at + 1, (), report)
                    continue
                if at + 1 < len(found) and found[at + 1][1] == "::":
                    tree(found, at, (), report)
            at += 1
        return at

    def place(self, name, path, directory):
        """The file of a submodule, and the directory of its own submodules."""
        if path:
            file = os.path.normpath(os.path.join(directory, path))
            return file, os.path.dirname(file)
        inner = os.path.join(directory, name)
        for file in (inner + ".rs", os.path.join(inner, "mod.rs")):
            try:
                self.read(file)
                return file, inner
            except OSError:
                pass
        raise OSError(f"no file of module {name} in {directory}")

    def resolve(self, module, path):
        """The module with a file that a path leads to. None: a path of another crate."""
        at = module
        first = path[0] if path else None
        if first == "crate":
            at, path = (), path[1:]
        elif first in ("self", "super"):
            while path and path[0] in ("self", "super"):
                if path[0] == "super":
                    at = at[:-1]
                path = path[1:]
        elif at + (first,) not in self.files and at + (first,) not in self.inline:
            return None
        for name in path:
            if at + (name,) not in self.files and at + (name,) not in self.inline:
                break
            at += (name,)
        return self.file_of(at)

    def file_of(self, module):
        """The closest module with a file of its own."""
        while module not in self.files:
            module = module[:-1]
        return module

    def edges(self):
        """The dependencies: sets of files, by file."""
        edges = {file: set() for file in self.files.values()}
        for module, path in self.paths:
            target = self.resolve(module, path)
            source = self.files[self.file_of(module)]
            if target is not None and self.files[target] != source:
                edges[source].add(self.files[target])
        return edges


def tree(found, at, prefix, report):
    """Reports the paths of a use tree, or a single path. Returns where it ends."""
    path = prefix
    while at < len(found):
        word = found[at][1]
        if word == "{":
            at += 1
            while at < len(found) and found[at][1] != "}":
                at = tree(found, at, path, report)
                if at < len(found) and found[at][1] == ",":
                    at += 1
                elif at < len(found) and found[at][1] != "}":
                    # Not a use tree after all.
                    return at + 1
            return at + 1
        if word == "::":
            at += 1
            continue
        if found[at][0] != "word":
            break
        path += (word,)
        at += 1
        if at < len(found) and found[at][1] == "as":
            at += 2
        if at >= len(found) or found[at][1] != "::":
            break
    report(path)
    return at + 1 if at < len(found) and found[at][1] == "*" else at


def circles(edges):
    """The strongly connected components with more than one member, sorted (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(edges.get(node, ())):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            start = stack.index(node)
            found.append(sorted(stack[start:]))
            del stack[start:]

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return sorted(circle for circle in found if len(circle) > 1)


def read_file(file):
    with open(file, encoding="utf-8") as source:
        return source.read()


def main(roots):
    """Prints the circles of some crates. Returns whether there are none."""
    clean = True
    for root in roots:
        edges = Crate(root).edges()
        for circle in circles(edges):
            clean = False
            print(f"{root}: a circle of {len(circle)} modules:")
            for file in circle:
                print(f"  {file} uses {', '.join(sorted(edges[file] & set(circle)))}")
    return clean


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(0 if main(sys.argv[1:]) else 1)
