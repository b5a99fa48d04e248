"""A contract for import-linter (pyproject.toml): no module imports itself, by whatever way.

Import-linter's own `acyclic_siblings` compares what lies side by side in a package. It does not see a module that
imports the package it lies in (`from exporter.config import …` inside `exporter/config/`), whose `__init__` imports the
module.
"""

from graphlib import CycleError, TopologicalSorter

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output


class NoCircularImports(Contract):
    """Also none through an `__init__`: importing `a.b.c` runs those of `a` and `a.b`."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        try:
            TopologicalSorter({name: _run_by_importing(name, graph) for name in graph.modules}).prepare()
        except CycleError as error:
            return ContractCheck(kept=False, metadata={"circle": error.args[1]})
        return ContractCheck(kept=True)

    def render_broken_contract(self, check: ContractCheck) -> None:
        output.print_error(" imports\n".join(reversed(check.metadata["circle"])))


def _run_by_importing(name: str, graph: ImportGraph) -> set[str]:
    """The modules that an import of `name` runs first; the packages it lies in are running already."""
    imported = graph.find_modules_directly_imported_by(name)
    packages = {package for module in imported for package in _packages(module)}
    return imported | (packages - _packages(name) - {name})


def _packages(name: str) -> set[str]:
    """`a` and `a.b` of `a.b.c`."""
    parts = name.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}
