package arch

import (
	"bufio"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gtk-onnx/gtk"

// lattice lists, for each package, the packages of this module that it may import (not counting tests). A package may import
// what is listed for it and nothing else; a name with /... stands for all packages below.
const lattice = `
tensor: internal/shown internal/memory internal/regular
internal/parallel:
internal/registry:
internal/options: internal/registry
internal/report: internal/shown
internal/lazy:
internal/lbfgs:
internal/units:
internal/failpoint:
internal/whole: internal/failpoint internal/lazy
internal/interrupt:
internal/jpeg:
internal/pnm:
internal/png:
internal/ycbcr:
internal/memory:
internal/regular:
internal/parquet:
internal/tfevents:
internal/shown:
internal/kernel: internal/parallel internal/memory
onnx/onnxpb:
onnx: onnx/onnxpb tensor internal/whole internal/shown internal/memory internal/regular
onnx/schema: onnx/onnxpb
onnx/typing: onnx/onnxpb onnx/schema tensor
onnx/check: onnx onnx/onnxpb onnx/schema onnx/typing internal/shown
onnx/convert: onnx onnx/onnxpb onnx/schema onnx/typing tensor internal/shown
onnx/ortadapter: tensor internal/regular
engine/graph: tensor internal/parallel internal/shown internal/memory
engine/ops: engine/graph tensor internal/kernel internal/parallel internal/shown internal/memory internal/jpeg internal/pnm internal/ycbcr
engine/ops/microsoft: engine/graph engine/ops tensor
engine/ops/ml: engine/graph engine/ops tensor
engine/ops/training: engine/graph engine/ops tensor internal/shown
engine/grad: engine/graph engine/ops tensor internal/shown
engine/exec: engine/graph tensor internal/parallel internal/shown internal/memory
engine/rewrite: engine/graph engine/ops engine/grad engine/exec tensor internal/shown internal/memory
internal/naive: engine/graph tensor
engine: onnx onnx/convert onnx/onnxpb onnx/schema onnx/typing tensor engine/graph engine/ops engine/ops/microsoft engine/ops/ml engine/ops/training engine/grad engine/exec engine/rewrite internal/parallel internal/registry internal/shown internal/memory internal/regular
data: tensor internal/parquet internal/registry internal/options internal/units internal/whole internal/shown internal/memory internal/regular internal/pnm internal/png internal/ycbcr internal/jpeg internal/lazy
optim: tensor internal/parallel internal/registry internal/options internal/kernel
feed: tensor engine engine/exec data internal/registry internal/shown internal/memory
denoise: onnx onnx/onnxpb tensor engine data internal/memory internal/options internal/registry
task: onnx tensor engine engine/graph engine/ops data feed internal/registry internal/options internal/shown
train: onnx onnx/onnxpb tensor engine engine/graph engine/grad engine/ops data optim feed task probe gbnn denoise internal/lbfgs internal/registry internal/whole internal/shown internal/memory
explain: tensor engine engine/exec engine/graph engine/grad engine/ops feed internal/registry internal/report internal/whole internal/shown
prune: tensor engine engine/graph data feed task internal/memory internal/registry internal/shown
probe: tensor engine engine/grad engine/graph engine/ops data feed task internal/options internal/registry
compress: onnx onnx/convert onnx/onnxpb tensor engine engine/graph engine/ops data feed task train internal/options internal/registry internal/shown internal/units
models: onnx onnx/onnxpb tensor internal/registry
nas: onnx tensor engine data optim feed task train models internal/parallel internal/registry
gbnn: internal/lbfgs internal/memory internal/parallel
compress/tokens: compress onnx onnx/convert onnx/onnxpb onnx/typing tensor engine engine/grad engine/graph engine/ops data feed task optim internal/report internal/shown internal/units
job: compress compress/tokens onnx onnx/check onnx/convert onnx/onnxpb onnx/ortadapter onnx/schema onnx/typing tensor engine engine/graph engine/grad engine/ops engine/exec data denoise optim feed task train explain prune probe models straggler fleet nas internal/kernel internal/options internal/parallel internal/registry internal/report internal/tfevents internal/units internal/whole internal/shown internal/memory internal/regular internal/interrupt internal/lazy
science: denoise compress internal/whole tensor onnx onnx/onnxpb engine engine/grad engine/graph data optim feed task train prune probe models straggler nas job internal/registry internal/parallel
straggler: internal/options internal/registry
fleet:
interop/gorgonia: engine engine/graph engine/ops optim tensor internal/kernel internal/parallel
interop/internal/dense: tensor
interop/onnxgo: onnx onnx/onnxpb tensor engine interop/internal/dense
interop/runtimes: job onnx onnx/onnxpb tensor interop/internal/dense
internal/testkit: tensor onnx/onnxpb
internal/graphgen: engine/graph engine/ops tensor
internal/arch:
internal/torture: cli engine/ops models onnx onnx/onnxpb tensor internal/shown internal/testkit
internal/torture/cmd: internal/torture
internal/gen: ...
cli: compress job data denoise optim task train explain prune probe models straggler nas science tensor internal/registry internal/units internal/shown internal/memory internal/regular internal/interrupt internal/whole internal/lazy
cli/gtk: cli interop/runtimes
`

// only lists modules from outside that a single place may import.
var only = map[string][]string{
	"github.com/urfave/cli":         {"cli"},
	"gorgonia.org":                  {"interop"},
	"github.com/owulveryck/onnx-go": {"interop"},
	"go4.org/unsafe":                {"interop"},
	"github.com/klauspost/compress": {"internal/parquet"},
	"github.com/pierrec/lz4":        {"internal/parquet"},
}

// root is the folder of the module.
func root(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}

// goFiles yields the Go files of the module that are not tests, as paths from its root.
func goFiles(t *testing.T, tests bool) []string {
	var files []string
	r := root(t)
	err := filepath.WalkDir(r, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || (p != r && (d.Name()[0] == '_' || d.Name()[0] == '.'))) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(p, ".go") && (tests || !strings.HasSuffix(p, "_test.go")) {
			rel, err := filepath.Rel(r, p)
			if err != nil {
				return err
			}
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestImports(t *testing.T) {
	allowed := map[string][]string{}
	sc := bufio.NewScanner(strings.NewReader(lattice))
	for sc.Scan() {
		pkg, list, ok := strings.Cut(sc.Text(), ":")
		if ok {
			allowed[pkg] = strings.Fields(list)
		}
	}
	seen := map[string]bool{}
	for _, f := range goFiles(t, false) {
		pkg := path.Dir(f)
		may, known := allowed[pkg]
		if !known {
			t.Errorf("package %s is not in the lattice", pkg)
			continue
		}
		seen[pkg] = true
		src, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root(t), f), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, im := range src.Imports {
			p, err := strconv.Unquote(im.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if ours, ok := strings.CutPrefix(p, module+"/"); ok {
				if !slices.Contains(may, ours) && !slices.Contains(may, "...") {
					t.Errorf("%s imports %s, which the lattice does not allow", f, ours)
				}
			}
			for outside, places := range only {
				if strings.HasPrefix(p, outside) &&
					!slices.ContainsFunc(places, func(x string) bool { return pkg == x || strings.HasPrefix(pkg, x+"/") }) {
					t.Errorf("%s imports %s, which only %v may", f, p, places)
				}
			}
		}
	}
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("package %s of the lattice does not exist", pkg)
		}
	}
}
