package engine_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
)

// The official cases once more, in other ways to the same numbers. What fails on the planned engine, and no more, fails in these too.

// everyWay runs all cases in one way and compares with the list.
func everyWay(t *testing.T, open func(t *testing.T) runnable) {
	known := testkit.ReadKnownFailures(t, "testdata/known_failures.txt")
	way := open(t)
	for _, c := range smallCases(t) {
		name := c.Suite + "/" + c.Name
		err := runSuiteCase(c, way)
		t.Run(name, func(t *testing.T) { known.Check(t, name, err) })
	}
	known.CheckStale(t)
}

// TestOfficialSuiteWithoutRewrites runs the graphs as Load leaves them: what follows from constants alone is folded, and no node is fused,
// merged or made another.
func TestOfficialSuiteWithoutRewrites(t *testing.T) {
	everyWay(t, func(*testing.T) runnable {
		return func(file *onnx.Model) (*engine.Model, *engine.Session, error) {
			m, err := engine.Load(file, engine.WithThreads(1))
			if err != nil {
				return nil, nil, err
			}
			s, err := m.BareSession()
			return m, s, err
		}
	})
}

// TestOfficialSuiteWritten runs what Save gives, written to a file and read again.
func TestOfficialSuiteWritten(t *testing.T) {
	everyWay(t, func(t *testing.T) runnable {
		path := filepath.Join(t.TempDir(), "written.onnx")
		return func(file *onnx.Model) (*engine.Model, *engine.Session, error) {
			m, err := engine.Load(file, engine.WithThreads(1))
			if err != nil {
				return nil, nil, err
			}
			if file, err = m.Save(); err != nil {
				return nil, nil, err
			}
			if file, err = reread(file, path); err != nil {
				return nil, nil, err
			}
			return planned(file)
		}
	})
}

// TestOfficialSuiteExported runs what Export writes in plain operators, written to a file and read again, after the checker saw it.
func TestOfficialSuiteExported(t *testing.T) {
	everyWay(t, func(t *testing.T) runnable {
		path := filepath.Join(t.TempDir(), "exported.onnx")
		return func(file *onnx.Model) (*engine.Model, *engine.Session, error) {
			m, err := engine.Load(file, engine.WithThreads(1))
			if err != nil {
				return nil, nil, err
			}
			if file, err = m.Export(engine.Query{}); err != nil {
				return nil, nil, err
			}
			if file, err = reread(file, path); err != nil {
				return nil, nil, err
			}
			if err := file.Check(); err != nil {
				return nil, nil, err
			}
			return planned(file)
		}
	})
}

// reread is a model as it is after it was written to a file, which is synced to no disk: that would take most of the time.
func reread(file *onnx.Model, path string) (*onnx.Model, error) {
	b, err := file.Bytes()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return nil, err
	}
	return onnx.ReadFile(path)
}

// TestOfficialSuiteSideBySide runs all cases in sixteen goroutines, on one pool of threads.
func TestOfficialSuiteSideBySide(t *testing.T) {
	known := testkit.ReadKnownFailures(t, "testdata/known_failures.txt")
	pool := parallel.New(4)
	defer pool.Close()
	cases := smallCases(t)
	errs := make([]error, len(cases))
	var all sync.WaitGroup
	for k := range 16 {
		all.Go(func() {
			for i := k; i < len(cases); i += 16 {
				errs[i] = runSuiteCase(cases[i], func(file *onnx.Model) (*engine.Model, *engine.Session, error) {
					m, err := engine.Load(file, engine.WithThreads(1))
					if err != nil {
						return nil, nil, err
					}
					m.SharePool(pool)
					s, err := m.Session(engine.Query{})
					return m, s, err
				})
			}
		})
	}
	all.Wait()
	for i, c := range cases {
		name := c.Suite + "/" + c.Name
		t.Run(name, func(t *testing.T) { known.Check(t, name, errs[i]) })
	}
	known.CheckStale(t)
}
