"""Campaigns of bad input, faults and interruptions, counted: `make reliability`."""

import argparse
import os
import tempfile
import time
from importlib import import_module

from stages.shared.errors import UserError, unknown_name
from stages.shared.process.console import say
from stages.shared.process.run import run
from tests.campaigns.report import CAMPAIGNS, TABLE, report_so_far, save


def main() -> None:
    """Run the campaigns that the arguments name, and write reports/reliability.json and .md after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help=f"{', '.join(CAMPAIGNS)}; all if none")
    asked = parser.parse_args().part
    for part in asked:
        if part not in CAMPAIGNS:
            raise UserError(unknown_name(part, CAMPAIGNS, "campaign"))
    report = report_so_far()
    with tempfile.TemporaryDirectory(prefix="reliability-") as folder:
        # Where DVC keeps what it knows of each project: else every trial would leave something in the system's folder.
        os.environ["DVC_SITE_CACHE_DIR"] = folder
        for name, campaign in CAMPAIGNS.items():
            if asked and name not in asked:
                continue
            say(f"reliability: {name}, {campaign.n:,} {campaign.unit}")
            begun = time.monotonic()
            counts = import_module(f"tests.campaigns.{name}").campaign(campaign.n)
            report["campaigns"][name] = {**counts, "seconds": round(time.monotonic() - begun, 1)}
            save(report)
    wrong = [text for name in asked or CAMPAIGNS for text in report["campaigns"][name]["went_wrong"]]
    if wrong:
        raise UserError("\n".join(wrong))
    say(f"reliability: nothing went wrong; {TABLE} has the figures")


if __name__ == "__main__":
    run("reliability", main)
