"""Write docs/rules/ anew from the rules themselves: ``python -m docs.generate``."""

from __future__ import annotations

from pathlib import Path

from docs.rule_pages import rule_pages

RULES = Path(__file__).parent / "rules"


def main() -> None:
    """Write every page, and remove those of rules that are gone."""
    RULES.mkdir(exist_ok=True)
    pages = rule_pages()
    for path in RULES.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        (RULES / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
