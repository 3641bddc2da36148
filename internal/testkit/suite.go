package testkit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// suiteArchive is the packed official suite, under the shared folder.
var suiteArchive = []string{"data", "onnx-backend-tests", "onnx-backend-tests-v1.22.0-opset27.tar.xz"}

// Case is one model of the official ONNX suite with its expected results.
type Case struct {
	Suite string // node, simple, pytorch-operator, pytorch-converted, light
	Name  string // test_abs
	Model string // path of the .onnx file
	Sets  []DataSet
}

// DataSet is the files of one run of a case, serialised TensorProto, SequenceProto or OptionalProto, in the order of the graph's
// inputs and outputs.
type DataSet struct {
	// Inputs is empty for the suite light: its models are run on LightInput of the shape of each input.
	Inputs, Outputs []string
}

// LightInput is the input that the expected outputs of the suite light belong to: element i of n is i/n. Extents that the model leaves
// open are 1.
//
// Source: https://github.com/onnx/onnx/blob/main/onnx/backend/test/runner/__init__.py (generate_dummy_data).
func LightInput(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	x := t.F32()
	for i := range x {
		x[i] = float32(float64(i) / float64(len(x)))
	}
	return t
}

// OfficialSuite is the cases of the official ONNX backend suite, which is unpacked once into the user's cache folder. The
// test is skipped when the archive or the commands tar and xz are missing.
func OfficialSuite(t testing.TB) []Case {
	t.Helper()
	SharedFile(t, suiteArchive...)
	cases, err := SuiteIn(Shared(t))
	var missing *exec.Error
	switch {
	case errors.As(err, &missing):
		t.Skipf("testkit: official suite: %v", err)
	case err != nil:
		t.Fatalf("testkit: official suite: %v", err)
	}
	return cases
}

// SuiteIn is OfficialSuite for programs that are no tests: the cases of the suite in the folder shared.
func SuiteIn(shared string) ([]Case, error) {
	dir, err := unpackOnce(filepath.Join(append([]string{shared}, suiteArchive...)...))
	if err != nil {
		return nil, err
	}
	return Cases(dir)
}

// unpackOnce unpacks a .tar.xz into a folder named after its content and gives that folder. Several processes may do so at once: each
// works in a folder of its own, and the first to finish gives it the final name.
func unpackOnce(archive string) (string, error) {
	sum, err := fileSum(archive)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, "gtk-suite")
	dir := filepath.Join(root, sum[:16])
	if isDir(dir) {
		return dir, nil
	}
	for _, c := range []string{"tar", "xz"} {
		if _, err := exec.LookPath(c); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(root, "unpack-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if out, err := exec.Command("tar", "-C", tmp, "--no-same-owner", "-xJf", archive).CombinedOutput(); err != nil {
		return "", fmt.Errorf("tar: %v: %s", err, out)
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil && !isDir(dir) {
		return "", err
	}
	return dir, nil
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Cases lists the cases of an unpacked suite: folders suite/case/model.onnx with test_data_set_N/input_N.pb and output_N.pb, and
// the pairs light/X.onnx, light/X_output_0.pb. They are sorted by suite and name.
func Cases(dir string) ([]Case, error) {
	suites, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []Case
	for _, s := range suites {
		if !s.IsDir() {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(dir, s.Name()))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			c := Case{Suite: s.Name(), Name: e.Name()}
			at := filepath.Join(dir, s.Name(), e.Name())
			switch stem, flat := strings.CutSuffix(e.Name(), ".onnx"); {
			case e.IsDir():
				c.Model = filepath.Join(at, "model.onnx")
				c.Sets, err = dataSets(at)
			case flat:
				c.Name, c.Model = stem, at
				var set DataSet
				set.Outputs, err = numbered(filepath.Dir(at), stem+"_output_")
				c.Sets = []DataSet{set}
			default:
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("case %s/%s: %w", c.Suite, c.Name, err)
			}
			if _, err := os.Stat(c.Model); err != nil {
				return nil, fmt.Errorf("case %s/%s: %w", c.Suite, c.Name, err)
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// dataSets is the data sets of a case's folder.
func dataSets(dir string) ([]DataSet, error) {
	var sets []DataSet
	for i := 0; ; i++ {
		at := filepath.Join(dir, "test_data_set_"+strconv.Itoa(i))
		in, err := numbered(at, "input_")
		if errors.Is(err, fs.ErrNotExist) {
			return sets, nil
		}
		if err != nil {
			return nil, err
		}
		out, err := numbered(at, "output_")
		if err != nil {
			return nil, err
		}
		sets = append(sets, DataSet{in, out})
	}
}

// numbered is the files prefix0.pb, prefix1.pb … of dir in the order of their numbers, which may have no gaps.
func numbered(dir, prefix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	byNumber := map[int]string{}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok {
			continue
		}
		num, ok := strings.CutSuffix(rest, ".pb")
		n, err := strconv.Atoi(num)
		if !ok || err != nil {
			return nil, fmt.Errorf("unexpected file %s", e.Name())
		}
		byNumber[n] = filepath.Join(dir, e.Name())
	}
	var out []string
	for i := range len(byNumber) {
		p, ok := byNumber[i]
		if !ok {
			return nil, fmt.Errorf("%s: %d files %s*.pb, but not number %d", dir, len(byNumber), prefix, i)
		}
		out = append(out, p)
	}
	return slices.Clip(out), nil
}
