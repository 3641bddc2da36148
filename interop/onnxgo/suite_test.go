package onnxgo_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/interop/onnxgo"
	"github.com/owulveryck/onnx-go/backend"
	"github.com/owulveryck/onnx-go/backend/testbackend"
	_ "github.com/owulveryck/onnx-go/backend/testbackend/onnx" // registers the cases
	"github.com/owulveryck/onnx-go/backend/x/gorgonnx"
)

// suites are the backends that run onnx-go's suite of backend tests, and where what does not pass is written down. Gorgonnx, the backend
// that comes with onnx-go, is there to compare with.
var suites = map[string]struct {
	file string
	make func() backend.ComputationBackend
}{
	"gtk":      {"suite.txt", func() backend.ComputationBackend { return onnxgo.NewBackend() }},
	"gorgonnx": {"suite_gorgonnx.txt", func() backend.ComputationBackend { return gorgonnx.NewGraph() }},
}

// inSuite is set to the backend in the process that TestUpstreamSuite starts.
const inSuite = "GTK_ONNXGO_SUITE"

// TestUpstreamCase runs the cases of onnx-go's suite as its own backends do. Some fail, so it is for the child of TestUpstreamSuite.
func TestUpstreamCase(t *testing.T) {
	name := os.Getenv(inSuite)
	if name == "" {
		t.Skip("TestUpstreamSuite runs it in a process of its own, where cases may fail")
	}
	for _, c := range testbackend.GetAllRegisteredTests() {
		tc := c()
		t.Run(tc.GetInfo(), tc.RunTest(suites[name].make(), false))
	}
}

// TestUpstreamSuite runs all cases of onnx-go's own suite with each backend and wants exactly those not to pass that are written down, each
// for the kind of reason that stands there:
//
//	decoder    onnx-go refuses the model before a backend sees it
//	operator   the backend does not have the operator, or not what the case asks of it
//	last bit   float32 numbers beside the recorded ones, which are more than the suite's absolute 1e-6 apart; may pass on another processor
//	recording  the suite records a scalar as a vector of one element
//	wrong      other numbers or another shape
//	failure    the backend fails otherwise
func TestUpstreamSuite(t *testing.T) {
	total := len(testbackend.GetAllRegisteredTests())
	for _, name := range slices.Sorted(maps.Keys(suites)) {
		t.Run(name, func(t *testing.T) {
			got := runSuite(t, name, total)
			path := filepath.Join("testdata", suites[name].file)
			want := readReasons(t, path)
			if updating() {
				writeReasons(t, path, got, want, total)
				return
			}
			for _, c := range slices.Sorted(maps.Keys(got)) {
				if r, ok := want[c]; !ok {
					t.Errorf("%s does not pass any more: %s", c, got[c])
				} else if kind(r) != kind(got[c]) {
					t.Errorf("%s does not pass for another reason: %s; written down is: %s", c, got[c], r)
				}
			}
			for c, r := range want {
				if _, ok := got[c]; !ok && kind(r) != "last bit" {
					t.Errorf("%s passes; %s says %s: take it out (-update)", c, path, r)
				}
			}
		})
	}
}

// updating reports whether the flag -update of package testkit is set.
func updating() bool { return flag.Lookup("update").Value.String() == "true" }

func kind(reason string) string {
	k, _, _ := strings.Cut(reason, ":")
	return k
}

var (
	verdictLine = regexp.MustCompile(`^\s+--- (\w+): TestUpstreamCase/(\S+)`)
	runLine     = regexp.MustCompile(`^=== (?:RUN|NAME|CONT)\s+TestUpstreamCase/(\S+)`)
)

// runSuite is what does not pass with a backend, and why.
func runSuite(t *testing.T, name string, total int) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestUpstreamCase$", "-test.v")
	cmd.Env = append(os.Environ(), inSuite+"="+name)
	out, err := cmd.Output()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Fatal(err)
	}
	said, bad, seen := map[string]string{}, map[string]string{}, 0
	var current string
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 64<<20)
	for sc.Scan() {
		line := sc.Text()
		if m := runLine.FindStringSubmatch(line); m != nil {
			current = m[1]
		} else if m := verdictLine.FindStringSubmatch(line); m != nil {
			seen++
			if m[1] != "PASS" {
				bad[m[2]] = reason(m[1], said[m[2]])
			}
		} else if len(said[current]) < 1<<16 {
			said[current] += line + "\n"
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	if seen != total {
		t.Fatalf("%d of %d cases ran; the end of what was printed:\n%s", seen, total, out[max(0, len(out)-2000):])
	}
	return bad
}

var (
	apart   = regexp.MustCompile(`Max difference between (\S+) and (\S+) allowed`)
	shapes  = regexp.MustCompile(`same dimension, expected (\(.*?\)), got (\(.*?\))`)
	missing = regexp.MustCompile(`(?:: |domain )([\w.]+) \(opset \d+\): operator is not supported|operator (\w+) not implemented`)
	lacks   = regexp.MustCompile(`node "[^"]+" \((\w+)\): (attribute [^;\n]* is not supported)`)
	at      = regexp.MustCompile(`\s*\w+\.go:\d+:\s*`)
)

// reason says why a case did not pass, from what its test printed.
func reason(verdict, said string) string {
	if strings.Contains(said, "ir.AttributeProto_") {
		return "decoder: attributes that are graphs are not read"
	}
	if m := missing.FindStringSubmatch(said); m != nil {
		return "operator: " + m[1] + m[2] + " is missing"
	}
	if m := lacks.FindStringSubmatch(said); m != nil {
		return "operator: " + m[1] + ", " + m[2]
	}
	if m := apart.FindStringSubmatch(said); m != nil {
		a, errA := strconv.ParseFloat(m[1], 32)
		b, errB := strconv.ParseFloat(m[2], 32)
		if errA == nil && errB == nil && math.Nextafter32(float32(a), float32(b)) == float32(b) {
			return "last bit: the next float32 number"
		}
		return fmt.Sprintf("wrong: %s where %s is recorded", m[1], m[2]) // testify swaps the two
	}
	if m := shapes.FindStringSubmatch(said); m != nil {
		if m[1] == "(1)" && m[2] == "()" {
			return "recording: a scalar, which the suite records as a vector of one element"
		}
		return fmt.Sprintf("wrong: shape %s where %s is recorded", m[2], m[1])
	}
	if verdict == "SKIP" {
		return "operator: " + firstLine(said)
	}
	return "failure: " + firstLine(said)
}

// firstLine is the first line of what a test said, without its place and addresses.
func firstLine(said string) string {
	line := strings.TrimSpace(at.ReplaceAllString(strings.TrimSpace(said), ""))
	line, _, _ = strings.Cut(line, "\n")
	return regexp.MustCompile(`0x[0-9a-f]+`).ReplaceAllString(line[:min(len(line), 120)], "0x…")
}

// readReasons reads a table: one case a line, then why it does not pass. Lines that begin with # are comments.
func readReasons(t *testing.T, path string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		if updating() {
			return map[string]string{}
		}
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if name, r, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			rows[name] = strings.TrimSpace(r)
		}
	}
	return rows
}

// writeReasons writes the table; what somebody wrote stays where the kind is the same.
func writeReasons(t *testing.T, path string, got, old map[string]string, total int) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "# %d of the %d cases of onnx-go v0.5.0's suite of backend tests pass. ", total-len(got), total)
	b.WriteString("These do not; the kinds are explained at TestUpstreamSuite.\n")
	for _, c := range slices.Sorted(maps.Keys(got)) {
		r := got[c]
		if kind(old[c]) == kind(r) {
			r = old[c]
		}
		fmt.Fprintf(&b, "%s %s\n", c, r)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
