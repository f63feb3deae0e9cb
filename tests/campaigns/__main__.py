"""Campaigns of faulty input and interruptions: `make reliability` counts how they end."""

import argparse
import os
import signal
import tempfile
import time
from importlib import import_module

from stages.shared.errors import UserError, unknown_name
from stages.shared.process.console import say
from stages.shared.process.run import run
from tests.campaigns.report import CAMPAIGNS, TABLE, load_report, save
from tests.fixtures.small_project import commit_as_a_tester


def main() -> None:
    """Run the named campaigns, and write reports/reliability.json and .md after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help=f"{', '.join(CAMPAIGNS)} (default: all)")
    parts = parser.parse_args().part or list(CAMPAIGNS)
    for part in parts:
        if part not in CAMPAIGNS:
            raise UserError(unknown_name(part, CAMPAIGNS, "campaign"))
    # Ctrl-C ends what a campaign has started. A shell starts background jobs with it ignored, which is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = load_report()
    commit_as_a_tester()
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        # DVC keeps files about each project here; the default is a folder of the system, where they would stay.
        os.environ["DVC_SITE_CACHE_DIR"] = folder
        for name in parts:
            n, unit = CAMPAIGNS[name].n, CAMPAIGNS[name].unit
            say(f"reliability: {name}, {n:,} {unit}")
            start = time.monotonic()
            counts = import_module(f"tests.campaigns.{name}").campaign(n)
            report["campaigns"][name] = {**counts, "seconds": round(time.monotonic() - start, 1)}
            save(report)
    if wrong := [text for name in parts for text in report["campaigns"][name]["went_wrong"]]:
        raise UserError("\n".join(wrong))
    say(f"reliability: nothing went wrong; {TABLE} has the counts")


if __name__ == "__main__":
    run("reliability", main)
