"""`python -m bench`: measure, print, and with --write put the figures into bench/README.md."""

import argparse
import sys

from bench import load, report, rounds, targets


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="What a check of the session costs.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each target is asked (5)")
    parser.add_argument("--seconds", type=int, default=2, help="how long, each time (2)")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 s: a first look, not a figure")
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="only titles with this word; repeatable"
    )
    parser.add_argument("--list", action="store_true", help="show the titles and stop")
    parser.add_argument("--write", action="store_true", help="put the figures into bench/README.md")
    chosen = parser.parse_args()
    selected = targets.chosen(chosen.only)
    if chosen.list:
        print(*(target.title for target in selected), sep="\n")
        return
    count, seconds = (2, 1) if chosen.quick else (chosen.rounds, chosen.seconds)
    load.install()
    figures = rounds.measure(selected, count, seconds, lambda text: print(text, file=sys.stderr))
    text = f"{report.conditions(count, seconds)}\n\n{report.table(figures)}"
    if grown := report.growth(figures):
        text += f"\n\nGrowth from 1 to {targets.MANY:,} sessions (aim: below 10 %):\n\n{grown}"
    print(text)
    if chosen.write:
        report.write(text)


if __name__ == "__main__":
    try:
        main()
    except load.LoadError as error:
        sys.exit(f"bench: {error}")
