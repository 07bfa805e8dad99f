"""Checks what slipring torture --json says: check.py STORM.json DEATHS SEED"""

import json
import sys

# What a storm of some hundred deaths never is without.
HAPPEN = """frames_verified bytes_verified frames_missed leases_verified_again leases_shared released_by_another_thread released_after_close
frames_observed reader_sessions waits_on_several waits_interrupted frames_published loans_discarded publishes_refused growths takeovers epochs
writers_killed readers_killed readers_ended stops signals closes_noticed_by_readers""".split()
NEVER = """torn repeated lost stuck leaked crashed wrong leaked_objects leaked_slots not_recovered""".split()


def main(path: str, deaths: int, seed: int) -> None:
    with open(path) as file:
        storm = json.load(file)
    for name in NEVER:
        assert storm[name] == 0, f"{name} is {storm[name]}: {storm['failure']}"
    for name in HAPPEN:
        assert storm[name] > 0, f"{name} is 0"
    assert storm["good"] is True and storm["failure"] is None
    assert storm["seed"] == seed
    assert storm["writers_killed"] + storm["readers_killed"] >= deaths
    unseen = {entry["what"] for entry in storm["not_shown"]}
    assert "full memory" in unseen or (storm["fills"] > 0 and storm["no_room_seen"] > 0), unseen
    assert "other clocks" in unseen or storm["readers_with_other_clocks"] > 0, unseen
    recoveries = [storm["recovery_ns"], storm["recovery_semaphore_ns"]]
    assert sum(h["count"] for h in recoveries) == storm["writers_killed"], "each kill of a writer is followed by a recovery"
    for h in recoveries:
        assert 0 < h["min"] <= h["p50"] <= h["p99"] <= h["max"]
    worst = max(h["max"] for h in recoveries) / 1e6
    print(
        f"storm: {storm['frames_verified']:,} frames verified, {storm['writers_killed']} writers and {storm['readers_killed']} readers killed, "
        f"{storm['takeovers']} takeovers, {storm['growths']} growths, {storm['epochs']} epochs, recovered within {worst:.0f} ms; "
        f"0 torn, 0 repeated, 0 lost, 0 stuck, 0 leaked (seed {seed})"
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
