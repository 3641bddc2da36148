package cli_test

import (
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/cli"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"gtk":    func() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) },
		"saving": func() { os.Exit(cli.Saving(os.Args[1], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs testdata/script. Beyond the commands of testscript there are
//
//	code N gtk ARGS…         runs gtk, which must exit with N
//	fields SCHEMA KEY…       standard output is one JSON object of that schema with those keys
//	npy FILE DTYPE SHAPE [V…]  writes a tensor, SHAPE such as 1x3x8x8, its elements V, or random ones; .npy or .pb by the name
//	pb FILE NAME FROM.npy    writes the tensor of a .npy file as a TensorProto
//	picture FILE.png W H     writes a picture
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("GTK_THREADS", "1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": cmdCode, "fields": cmdFields, "npy": cmdNPY, "pb": cmdPB, "picture": cmdPicture,
		},
	})
}

func cmdCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func cmdFields(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: fields SCHEMA KEY…")
	}
	var o map[string]any
	out := strings.TrimSpace(ts.ReadFile("stdout"))
	if strings.Contains(out, "\n") {
		ts.Fatalf("standard output has more than one line")
	}
	ts.Check(json.Unmarshal([]byte(out), &o))
	if o["schema"] != args[0] {
		ts.Fatalf("schema %v, want %s", o["schema"], args[0])
	}
	for _, k := range args[1:] {
		// a.b is key b of the first element of list a.
		first, rest, nested := strings.Cut(k, ".")
		v, ok := o[first]
		if ok && nested {
			list, isList := v.([]any)
			if !isList || len(list) == 0 {
				ts.Fatalf("%s is not a list with elements: %v", first, v)
			}
			_, ok = list[0].(map[string]any)[rest]
		}
		if !ok {
			ts.Fatalf("no field %s in %s", k, out)
		}
	}
}

func parseShape(s string) ([]int, error) {
	shape := []int{}
	if s == "scalar" {
		return shape, nil
	}
	for x := range strings.SplitSeq(s, "x") {
		n, err := strconv.Atoi(x)
		if err != nil {
			return nil, err
		}
		shape = append(shape, n)
	}
	return shape, nil
}

func cmdNPY(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: npy FILE DTYPE SHAPE [V…]")
	}
	d, err := tensor.ParseDType(args[1])
	ts.Check(err)
	shape, err := parseShape(args[2])
	ts.Check(err)
	x := tensor.New(tensor.Float32, shape...)
	r := rand.New(rand.NewPCG(1, 2))
	if v := args[3:]; len(v) != 0 && len(v) != x.Len() {
		ts.Fatalf("%d values for shape %v", len(v), shape)
	}
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
		if len(args) > 3 {
			v, err := strconv.ParseFloat(args[3+i], 32)
			ts.Check(err)
			x.F32()[i] = float32(v)
		}
	}
	t, err := x.Convert(d)
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(tensor.WriteNPY(f, t))
	ts.Check(f.Close())
}

func cmdPB(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: pb FILE NAME FROM.npy")
	}
	arrays, err := tensor.ReadFile(ts.MkAbs(args[2]))
	ts.Check(err)
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o777))
	ts.Check(onnx.WriteValueFile(ts.MkAbs(args[0]), args[1], arrays[0].Tensor, onnx.WriteOptions{}))
}

func cmdPicture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: picture FILE.png W H")
	}
	w, err := strconv.Atoi(args[1])
	ts.Check(err)
	h, err := strconv.Atoi(args[2])
	ts.Check(err)
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(255 * x / w), uint8(255 * y / h), uint8(x * y), 255})
		}
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(png.Encode(f, img))
	ts.Check(f.Close())
}

// Models that need an operator that nobody has must be refused with its name, by import, and still be described by inspect.
func TestUnsupportedOperator(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "odd.onnx")
	m, err := onnx.ReadFile(build(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	op := "Rellu"
	for _, n := range m.Proto.Graph.Node {
		if n.GetOpType() == "Relu" {
			n.OpType = &op
		}
	}
	if err := m.WriteFile(path, onnx.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	code, out, _ := run("import", path, "--json")
	if code != 3 || !strings.Contains(out, "Rellu") || !strings.Contains(out, "did you mean Relu") ||
		!strings.Contains(out, "gtk.error/1") {
		t.Errorf("import: code %d, %s", code, out)
	}
	code, out, _ = run("inspect", path)
	if code != 0 || !strings.Contains(out, "Rellu") || !strings.Contains(out, "no") {
		t.Errorf("inspect: code %d, %s", code, out)
	}
}

// build writes a small model and returns its path.
func build(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "lenet.onnx")
	if code, _, e := run("models", "new", "lenet", "-o", path); code != 0 {
		t.Fatalf("models new: code %d: %s", code, e)
	}
	return path
}

// run calls gtk in this process.
func run(args ...string) (code int, stdout, stderr string) {
	var o, e strings.Builder
	code = cli.Main(append([]string{"gtk"}, args...), strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}
