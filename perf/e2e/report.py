# SPDX-License-Identifier: BSD-2-Clause
"""Medians, ratios, goals."""
import statistics

KINDS = {
    "keepalive": ("keep-alive", "thousand requests/s", 1e-3, "us/request"),
    "new": ("new connections", "thousand requests/s", 1e-3, "us/request"),
    "download": ("bulk, task to client", "Gbit/s", 1, "us/MB"),
    "upload": ("bulk, client to task", "Gbit/s", 1, "us/MB"),
}
# kind, peer, least ratio
GOALS = (("keepalive", "ecmp", 1.0), ("new", "ecmp", 1.1), ("new", "nftables", 1.3),
         ("new", "haproxy", 1.6), ("download", "vxlan", 0.95), ("upload", "vxlan", 0.95))


def quantile(values, q):
    """Linear between neighbours."""
    values = sorted(values)
    place = q * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def spread(values):
    return {"median": statistics.median(values), "p10": quantile(values, 0.1),
            "p90": quantile(values, 0.9), "rounds": len(values)}


class Results:
    """rounds[name][kind]: one measurement per round, in order; void ones have "failed" > 0."""

    def __init__(self, labels):
        self.labels = labels
        self.rounds = {name: {} for name in labels}

    def add(self, name, kind, measurement):
        self.rounds[name].setdefault(kind, []).append(measurement)

    def good(self, name, kind, field="value"):
        return [m[field] for m in self.rounds.get(name, {}).get(kind, [])
                if not m["failed"] and m.get(field) is not None]

    def ratios(self, name, peer, kind):
        """Round by round: both were measured within the same minute."""
        mine, other = (self.rounds.get(n, {}).get(kind, []) for n in (name, peer))
        return [a["value"] / b["value"] for a, b in zip(mine, other)
                if not a["failed"] and not b["failed"] and b["value"]]

    def cost_ratios(self, name, peer, kind):
        """The peer's processor time per request over this one's: greater is better here too. Others'
        load, which takes from the rate, hardly changes it."""
        mine, other = (self.rounds.get(n, {}).get(kind, []) for n in (name, peer))
        return [b["cpu_us"] / a["cpu_us"] for a, b in zip(mine, other)
                if not a["failed"] and not b["failed"] and a["cpu_us"] and b["cpu_us"]]

    def failed(self, name, kind):
        return sum(1 for m in self.rounds[name].get(kind, []) if m["failed"])

    def summary(self):
        out = {}
        for name in self.labels:
            for kind in KINDS:
                if not self.good(name, kind):
                    continue
                row = out.setdefault(name, {})[kind] = spread(self.good(name, kind))
                row["void"] = self.failed(name, kind)
                row["foreign_percent"] = statistics.median(self.good(name, kind, "foreign_percent"))
                row["cpu_us"] = statistics.median(self.good(name, kind, "cpu_us"))
                if p99 := self.good(name, kind, "p99_ms"):
                    row["p99_ms"] = statistics.median(p99)
                row["ratio"] = {peer: spread(ratios) for peer in self.labels
                                if peer != name and (ratios := self.ratios(name, peer, kind))}
        return out

    def goals(self):
        rows = []
        for name in self.labels:
            if not name.startswith("fairlead"):
                continue
            for kind, peer, least in GOALS:
                ratios = self.ratios(name, peer, kind)
                if ratios:
                    rows.append({"contender": name, "kind": kind, "peer": peer, "least": least,
                                 "ratio": spread(ratios),
                                 "cost_ratio": spread(self.cost_ratios(name, peer, kind) or [0.0]),
                                 "met": statistics.median(ratios) >= least})
        return rows


def print_results(results, out):
    """One block for each kind of load; ratios are medians over rounds."""
    names = list(results.labels)
    peers = [name for name in names if not name.startswith("fairlead")]
    summary = results.summary()
    for kind, (title, unit, factor, cost) in KINDS.items():
        if not any(kind in rows for rows in summary.values()):
            continue
        print(f"\n{title}: {unit}", file=out)
        heads = "".join(f" {'/' + peer:>12}" for peer in peers)
        print(f"{'':<28} {'median':>7} {'p10..p90':>15} {'p99 ms':>7} {cost:>11}{heads}", file=out)
        for name in names:
            row = summary.get(name, {}).get(kind)
            if not row:
                if results.failed(name, kind):
                    print(f"{results.labels[name]:<28} {'-':>7}  each round void", file=out)
                continue
            between = f"{row['p10'] * factor:.2f}..{row['p90'] * factor:.2f}"
            tail = f"{row['p99_ms']:.2f}" if row.get("p99_ms") is not None else ""
            cells = "".join(f" {row['ratio'][peer]['median']:>12.2f}" if peer in row["ratio"]
                            else f" {'':>12}" for peer in peers)
            void = f"  ({row['void']} void)" if row["void"] else ""
            print(f"{results.labels[name]:<28} {row['median'] * factor:>7.2f} {between:>15} {tail:>7} "
                  f"{row['cpu_us']:>11.1f}{cells}{void}", file=out)


def print_goals(results, out):
    rows = results.goals()
    if rows:
        print("\ngoals: ratio of rates, median over rounds (p10..p90); the same by processor time",
              file=out)
    for row in rows:
        ratio, cost, word = row["ratio"], row["cost_ratio"], "met" if row["met"] else "MISSED"
        print(f"  {results.labels[row['contender']]:<20} {KINDS[row['kind']][0]:<20} "
              f">= {row['least']:.2f} x {row['peer']:<8} {ratio['median']:5.2f} "
              f"({ratio['p10']:.2f}..{ratio['p90']:.2f})  cpu "
              f"{cost['median']:5.2f} ({cost['p10']:.2f}..{cost['p90']:.2f})  {word}", file=out)
