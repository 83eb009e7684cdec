"""`make figures`: the size of the code, names that stand twice, imports past interfaces."""

from __future__ import annotations

from collections import Counter

from tests.structure import source


def main() -> None:
    """Print one figure for each line, `name value`."""
    sizes = {module.name: source.lines_of_code(module) for module in source.modules()}
    print(f"code.files {len(sizes)}")
    print(f"code.lines {sum(sizes.values())}")
    for package in source.PACKAGES:
        print(f"code.lines.{package} {_within(sizes, package)}")
    print(f"code.lines.adfs_mgmt_with_commands {_within(sizes, 'adfs_mgmt') + _within(sizes, 'isthmus.cli.adfs')}")
    double = {name: places for name, places in source.public_classes().items() if len(places) > 1}
    print(f"names.double {len(double)}")
    for name, places in sorted(double.items()):
        print(f"  {name}: {', '.join(places)}")
    past = source.imports_past_interfaces()
    print(f"imports.past_interfaces {len(past)}")
    for package, count in sorted(Counter(source.interface_of(found.imported) for found in past).items()):
        reached = {found.imported for found in past if source.interface_of(found.imported) == package}
        print(f"  {package}: {count} imports of {len(reached)} modules")


def _within(sizes: dict[str, int], package: str) -> int:
    return sum(size for name, size in sizes.items() if name == package or name.startswith(package + "."))


if __name__ == "__main__":
    main()
