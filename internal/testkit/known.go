package testkit

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// KnownFailures is a list of cases that fail, with the reason, read from a text file.
type KnownFailures struct {
	path   string
	reason map[string]string
	seen   map[string]bool
}

// ReadKnownFailures reads lines "name  # reason". Empty lines and lines that begin with # are skipped; a name without a reason,
// with a space inside or listed twice ends the test.
func ReadKnownFailures(t testing.TB, path string) *KnownFailures {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatalf("testkit: known failures: %v", err)
	}
	defer f.Close()
	k := &KnownFailures{path: path, reason: map[string]string{}, seen: map[string]bool{}}
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, reason, _ := strings.Cut(line, "#")
		name, reason = strings.TrimSpace(name), strings.TrimSpace(reason)
		if err := k.add(name, reason); err != nil {
			t.Fatalf("testkit: %s:%d: %v", path, n, err)
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatalf("testkit: %s: %v", path, err)
	}
	return k
}

func (k *KnownFailures) add(name, reason string) error {
	switch {
	case reason == "":
		return fmt.Errorf("%q has no reason (name  # reason)", name)
	case strings.ContainsAny(name, " \t"):
		return fmt.Errorf("%q has a space in its name", name)
	case k.reason[name] != "":
		return fmt.Errorf("%q is listed twice", name)
	}
	k.reason[name] = reason
	return nil
}

// Reason is why a case is known to fail, empty for one that must pass.
func (k *KnownFailures) Reason(name string) string { return k.reason[name] }

// Check judges the result of a case: a failure that is not listed fails the test, a listed one skips it with the reason,
// and a listed case that passes fails the test, so that the list stays true. Call it last in the case's subtest.
func (k *KnownFailures) Check(t testing.TB, name string, err error) {
	t.Helper()
	k.seen[name] = true
	switch reason := k.reason[name]; {
	case err == nil && reason != "":
		t.Errorf("%s passes but is listed in %s (%s): remove it there", name, k.path, reason)
	case err != nil && reason == "":
		t.Errorf("%s: %v", name, err)
	case err != nil:
		t.Skipf("known failure: %s (%v)", reason, err)
	}
}

// CheckStale fails the test for listed names that Check has not seen; call it after all cases ran.
func (k *KnownFailures) CheckStale(t testing.TB) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(k.reason)) {
		if !k.seen[name] {
			t.Errorf("%s lists %s, which is no case", k.path, name)
		}
	}
}
