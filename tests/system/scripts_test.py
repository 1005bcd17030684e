"""What scripts/ and tests/system/ say and do, as far as no package, build or system comes of it."""

import os
import pathlib
import pty
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRESS = ROOT / "scripts" / "progress.sh"


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def program(self, name, text):
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o700)
        return path


class Progress(WithFolder):
    def run_it(self, output, *options, code=0):
        """What progress.sh shows of a command that prints `output` and exits with `code`."""
        (self.folder / "output").write_text(output)
        command = self.program("command", f"cat '{self.folder}/output'\nexit {code}\n")
        run = subprocess.run([PROGRESS, *options, self.folder / "log", command], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.stderr, "")
        self.assertEqual((self.folder / "log").read_text(), output)
        return run

    def test_a_build_shows_percent_steps_and_file(self):
        run = self.run_it("[1/4] Building CXX object dataplane/core/CMakeFiles/sluice_core.dir/parse.cc.o\n[2/4] Linking x\n")
        self.assertEqual(run.returncode, 0)
        first, last = run.stdout.splitlines()
        self.assertRegex(first, r"^      25% 1 of 4, \d+ s: dataplane/core/parse\.cc$")
        self.assertRegex(last, r"^      done in \d+ s$")

    def test_a_build_of_several_files_as_one_shows_its_target(self):
        run = self.run_it("[1/4] Building CXX object base/CMakeFiles/sluice_base.dir/Unity/unity_2_cxx.cxx.o\n")
        self.assertRegex(run.stdout, r"25% 1 of 4, \d+ s: base/sluice_base, part 2\n")

    def test_the_exit_code_is_the_commands(self):
        run = self.run_it("[1/4] Building CXX object a.o\nerror: no\n", code=3)
        self.assertEqual(run.returncode, 3)
        self.assertNotIn("done", run.stdout)

    def test_installing_is_the_second_half_of_apt_get(self):
        self.assertRegex(self.run_it("dlstatus:7:50.5:Retrieving file 7 of 9\n").stdout, r"^      25% \d+ s: downloading\n")
        self.assertRegex(self.run_it("pmstatus:zsh:amd64:40.0:Unpacking zsh (amd64)\n").stdout, r"^      70% \d+ s: Unpacking zsh")

    def test_of_tests_those_that_pass_are_counted_and_the_rest_is_shown(self):
        run = self.run_it(
            "      Start  1: unit.a\n1/3 Test  #1: unit.a ......   Passed    0.01 sec\n"
            "2/3 Test  #2: unit.b ......***Failed    0.01 sec\nwhy it failed\n\n100% tests passed, 0 tests failed out of 3\n",
            "--rest",
        )
        self.assertNotIn("Passed", run.stdout)
        self.assertRegex(run.stdout, r"^      \d+ s: unit\.a\n2/3 Test  #2: unit\.b .*Failed .*\nwhy it failed\n\n100% tests passed")

    def test_a_last_line_without_an_end_is_logged(self):
        (self.folder / "output").write_text("[1/4] Building CXX object a.o\nhalf")
        subprocess.run([PROGRESS, self.folder / "log", "cat", self.folder / "output"], check=True, capture_output=True, timeout=60)
        self.assertEqual((self.folder / "log").read_text(), "[1/4] Building CXX object a.o\nhalf\n")

    def test_on_a_terminal_it_is_a_bar_that_goes(self):
        command = self.program("command", "echo '[1/2] Building CXX object a/CMakeFiles/a.dir/b.cc.o'\n")
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        subprocess.run([PROGRESS, self.folder / "log", command], check=True, stdout=theirs, timeout=60)
        os.close(theirs)
        shown = os.read(ours, 1 << 16).decode()
        self.assertRegex(shown, r"^      \[############            \]  50% 1 of 2, \d+ s: a/b\.cc")
        self.assertRegex(shown, r"\r +\r      done in \d+ s\r\n$")


class TestCluster(WithFolder):
    def run_it(self, etcd_version):
        """build-test-cluster.sh where the PATH has an etcd of that version, all else, and no Go."""
        for name in ("bash", "dirname", "sed", "sh", "env"):
            (self.folder / name).symlink_to(shutil.which(name))
        self.program("etcd", f"echo 'etcd Version: {etcd_version}'\n")
        self.program("kubectl", "")
        self.program("kube-apiserver", "")
        self.program("coredns", "")
        environment = {"PATH": str(self.folder), "HOME": str(self.folder)}
        script = ROOT / "scripts" / "build-test-cluster.sh"
        return subprocess.run(["bash", script], env=environment, capture_output=True, text=True, timeout=60)

    def test_takes_etcd_of_debian_13(self):
        self.assertEqual(self.run_it("3.5.16").returncode, 0)

    def test_wants_another_etcd_than_debian_12s(self):
        run = self.run_it("3.4.23")
        self.assertEqual(run.returncode, 3)
        self.assertIn("no etcd that will do", run.stderr)


class Help(unittest.TestCase):
    """Of the scripts that README names: their purpose and their arguments, without a build."""

    def help_of(self, script, *option):
        run = subprocess.run([ROOT / "scripts" / script, *option], cwd="/", capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return run.stdout

    def test_is_there_for_each(self):
        for script in ("quickstart.sh", "test.sh", "bench.sh", "build.sh"):
            with self.subTest(script):
                self.assertIn(f"scripts/{script}", self.help_of(script, "--help"))
                self.assertEqual(self.help_of(script, "-h"), self.help_of(script, "--help"))

    def test_names_the_parts_of_the_tests(self):
        run = subprocess.run([ROOT / "scripts" / "test.sh", "none"], capture_output=True, text=True, timeout=60)
        for part in run.stderr.partition("there are: ")[2].split():
            self.assertIn(part.removeprefix("cluster."), self.help_of("test.sh", "--help"))

    def test_names_the_sections_of_the_bench(self):
        bench = (ROOT / "bench" / "bench.py").read_text()
        sections = re.findall(r'^    "(\w+)": ', bench.partition("SECTIONS = {")[2].partition("\n}")[0], re.MULTILINE)
        self.assertGreater(len(sections), 10)
        self.assertIn(f"Sections: {' '.join(sections)}.", self.help_of("bench.sh", "--help"))


class Refusals(unittest.TestCase):
    def refuse(self, words, *command):
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 2)
        self.assertIn(words, run.stderr)

    def test_names_the_sets_of_packages(self):
        self.refuse("there are: run, test (the default), cluster, bench", "scripts/install-deps.sh", "all")

    def test_names_the_parts_of_the_tests(self):
        self.refuse("there are: lint unit e2e fuzz asan tsan cluster cluster.bridge", "scripts/test.sh", "cluster.tree")

    def test_names_what_a_test_cluster_can_have(self):
        self.refuse("nothing called 'node'; give nothing, or: nodes", "scripts/build-test-cluster.sh", "node")

    def test_names_the_releases(self):
        self.refuse("'11' is no release that Sluice is built on; there are: 12", "tests/system/bare_debian.sh", "11")

    def test_names_the_options(self):
        self.refuse("no option is called '--speed'; there are: --mirror", "tests/system/bare_debian.sh", "--speed", "12")

    def test_wants_a_mirrors_address(self):
        self.refuse("--mirror wants a value", "tests/system/bare_debian.sh", "--mirror")


if __name__ == "__main__":
    unittest.main()
