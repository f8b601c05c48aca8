"""What the benchmark makes of what it measured: notes, ratios, processor time, sizes.

    python3 -B tests/bench/bench_test.py
"""

import pathlib
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import bench  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402
from measure import Figure, Side  # noqa: E402
from rows import events  # noqa: E402
from rows.sizes import Series  # noqa: E402


def row_of(*figures):
    return {"title": "Warm proxying", "how": "How.", "seconds": 1, "quick": False, "commit": "c1",
            "figures": [figure.as_json() for figure in figures]}


def figure(ours, theirs):
    return Figure("rate", "1/s", "higher", Side("Hearth", ours), [Side("nginx", theirs)])


class Notes(unittest.TestCase):
    def read(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".md") as file:
            file.write(text)
            file.flush()
            return report.read_notes(pathlib.Path(file.name))

    def test_each_section_is_the_note_of_its_row(self):
        notes = self.read("# Notes\n\nFor writers.\n\n## P7\n\nEven.\n\n## sizes-events\nFlat.\n")
        self.assertEqual(notes, {"P7": "Even.", "sizes-events": "Flat."})

    def test_two_sections_of_one_row_are_an_error(self):
        with self.assertRaisesRegex(ValueError, "two sections of P7"):
            self.read("## P7\nEven.\n\n## P7\nAhead.\n")

    def test_a_note_stands_between_its_row_s_table_and_chart(self):
        row = row_of(figure([2.0], [1.0]))
        text = report.row_markdown("P7", row, "c1", "**In the way.** Much.")
        self.assertLess(text.index("| rate |"), text.index("**In the way.** Much."))
        self.assertLess(text.index("**In the way.** Much."), text.index("performance/p7.svg"))

    def test_a_row_that_could_not_be_measured_keeps_its_note(self):
        row = dict(row_of(), error="RuntimeError: no port")
        self.assertIn("Known.", report.row_markdown("P7", row, "c1", "Known."))

    def test_the_notes_of_this_repository_are_of_rows_that_there_are(self):
        self.assertEqual(set(report.read_notes()) - set(bench.ROWS) - set(bench.EXTRA), set())


class Ratios(unittest.TestCase):
    def cell(self, ours, theirs):
        return report.table(row_of(figure(ours, theirs)))[0][report.HEADINGS.index("ratio")]

    def test_lowest_and_highest_ratio_of_a_round_stand_beside_that_of_the_medians(self):
        self.assertEqual(self.cell([10, 30, 20], [10, 20, 10]), "2.00 (1.00–2.00)")

    def test_one_round_has_no_spread(self):
        self.assertEqual(self.cell([3.0], [2.0]), "1.50")

    def test_rounds_that_did_not_run_in_turn_have_no_spread(self):
        self.assertEqual(self.cell([3.0, 3.0], [2.0, 2.0, 2.0]), "1.50")


class ProcessorTime(unittest.TestCase):
    def setUp(self):
        self.spent = {1: 0.0}
        self.real, measure.cpu_seconds = measure.cpu_seconds, self.cpu_seconds
        self.addCleanup(setattr, measure, "cpu_seconds", self.real)

    def cpu_seconds(self, *pids):
        return sum(self.spent[pid] for pid in pids)

    def measured(self, pid, seconds, requests):
        def load():
            self.spent[pid] = self.spent.get(pid, 0.0) + seconds
            return {"requests": requests}
        return measure.measured_with_cpu(lambda: list(self.spent), load)

    def test_a_worker_that_is_forked_during_the_load_counts(self):
        self.assertAlmostEqual(self.measured(2, 0.5, 1000)["cpu_us"], 500)

    def test_a_server_that_did_nothing_was_not_the_one_that_served(self):
        with self.assertRaisesRegex(RuntimeError, r"0\.05 µs of processor time for each of 1000"):
            self.measured(1, 0.00005, 1000)


class Losses(unittest.TestCase):
    def test_events_of_every_load_that_are_lost_are_told(self):
        rate = {"delivered_rate": 1.0, "cpu_us": 1.0, "refused": 0, "first_error": "no",
                "deliver_p50_us": 1, "deliver_p99_us": 1, "end_to_end_p50_us": 1,
                "end_to_end_p99_us": 1}
        for delivered, accepted, told in ((5, 5, False), (4, 5, True), (0, 0, True)):
            figures = events.Figures()
            result = {**rate, "delivered": delivered, "accepted": accepted}
            with mock.patch.object(events, "send_events", return_value=result), \
                    mock.patch.object(events, "peak_mb", return_value=1.0):
                events.measure_ours(measure.Settings(quick=True), mock.Mock(), 0, figures)
            for figure in (figures.single, figures.large, figures.batch):
                self.assertEqual(bool(figure.hearth.note), told, figure.name)


class Sizes(unittest.TestCase):
    def test_all_sizes_are_compared_with_the_baseline_and_larger_ones_judged(self):
        series = Series("apply", "ms", baseline=1, flat=1.3)
        for label, value in (("1", 90.0), ("100", 60.0), ("10000", 90.0)):
            series.side(label).add(value)
        figures = series.figures()
        self.assertEqual([f.measured("ratio") for f in figures], [1.5, 1.0, 1.5])
        self.assertEqual([[f.verdict(t) for t in f.targets] for f in figures],
                         [[], [], ["missed"]])


if __name__ == "__main__":
    unittest.main()
