package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared is the folder of shared models, data and specifications: the environment variable GTK_SHARED, or a folder "shared"
// with a "spec" inside beside the working folder or one of its parents. The test is skipped when there is none.
func Shared(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("GTK_SHARED"); dir != "" {
		if !isDir(filepath.Join(dir, "spec")) {
			t.Fatalf("testkit: GTK_SHARED=%s has no folder spec", dir)
		}
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	for {
		if s := filepath.Join(dir, "shared"); isDir(filepath.Join(s, "spec")) {
			return s
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("testkit: no shared folder (set GTK_SHARED, or put shared/ with spec/ in it beside the module)")
			return ""
		}
		dir = up
	}
}

// SharedFile is a file under the shared folder; the test is skipped when it is not there.
func SharedFile(t testing.TB, elem ...string) string {
	t.Helper()
	p := filepath.Join(append([]string{Shared(t)}, elem...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("testkit: %v", err)
	}
	return p
}

func isDir(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.IsDir()
}
