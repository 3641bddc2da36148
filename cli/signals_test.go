//go:build unix

package cli_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

// promptly is how long a command may take to end after a signal. It is told 300 ms; the machine of a test has more to do.
const promptly = 3 * time.Second

// started is a program that runs, with what it says.
type started struct {
	*exec.Cmd
	out, err bytes.Buffer
}

func start(t *testing.T, name string, args ...string) *started {
	t.Helper()
	p := &started{Cmd: exec.Command(filepath.Join(filepath.Dir(gtkProgram(t)), "gtk"), args...)}
	p.Args[0] = name
	p.Stdout, p.Stderr = &p.out, &p.err
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() }) // it has ended, as a rule
	return p
}

// ends waits for the end of p and tells the exit code and the time that it took.
func (p *started) ends(t *testing.T) (int, time.Duration) {
	t.Helper()
	begin := time.Now()
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode(), time.Since(begin)
}

// bigConv is a model with a convolution of a picture with itself, which takes minutes in one kernel.
func bigConv(t *testing.T, groups int64) string {
	n := int64(2048)
	value := func(name string) *onnxpb.ValueInfoProto {
		v := &onnxpb.ValueInfoProto{Name: proto.String(name), Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
			TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(1), Shape: &onnxpb.TensorShapeProto{}}}}}
		for _, d := range []int64{1, groups, n, n} {
			v.Type.GetTensorType().Shape.Dim = append(v.Type.GetTensorType().Shape.Dim,
				&onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}})
		}
		return v
	}
	ints := &onnxpb.TensorProto{Name: proto.String("shape"), DataType: proto.Int32(7), Dims: []int64{4},
		Int64Data: []int64{groups, 1, n, n}}
	m := &onnxpb.ModelProto{
		IrVersion: proto.Int64(8), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("g"), Input: []*onnxpb.ValueInfoProto{value("x")}, Output: []*onnxpb.ValueInfoProto{value("y")},
			Initializer: []*onnxpb.TensorProto{ints},
			Node: []*onnxpb.NodeProto{
				{OpType: proto.String("Reshape"), Input: []string{"x", "shape"}, Output: []string{"w"}},
				{OpType: proto.String("Conv"), Input: []string{"x", "w"}, Output: []string{"y"}, Attribute: []*onnxpb.AttributeProto{
					{Name: proto.String("auto_pad"), Type: onnxpb.AttributeProto_STRING.Enum(), S: []byte("SAME_UPPER")},
					{Name: proto.String("group"), Type: onnxpb.AttributeProto_INT.Enum(), I: &groups},
				}},
			},
		},
	}
	return writeModel(t, m)
}

func writeModel(t *testing.T, m *onnxpb.ModelProto) string {
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// hashed is a model with 20 GB of external data, of which no block is stored, and a checksum.
func hashed(t *testing.T) string {
	const bytes = 20 << 30
	entry := func(k, v string) *onnxpb.StringStringEntryProto {
		return &onnxpb.StringStringEntryProto{Key: &k, Value: &v}
	}
	w := &onnxpb.TensorProto{
		Name: proto.String("w"), DataType: proto.Int32(1), Dims: []int64{1 << 20}, DataLocation: onnxpb.TensorProto_EXTERNAL.Enum(),
		ExternalData: []*onnxpb.StringStringEntryProto{
			entry("location", "w.bin"), entry("length", "4194304"), entry("checksum", strings.Repeat("0", 40)),
		},
	}
	m := &onnxpb.ModelProto{
		IrVersion: proto.Int64(8), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("g"), Initializer: []*onnxpb.TensorProto{w},
			Node: []*onnxpb.NodeProto{{OpType: proto.String("Relu"), Input: []string{"w"}, Output: []string{"y"}}},
			Output: []*onnxpb.ValueInfoProto{{Name: proto.String("y"),
				Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(1)}}}}},
		},
	}
	path := writeModel(t, m)
	data := filepath.Join(filepath.Dir(path), "w.bin")
	if err := os.WriteFile(data, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(data, bytes); err != nil {
		t.Skip("no sparse files here:", err)
	}
	return path
}

// Whatever the code does when the signal comes, the command ends.
func TestSignalsEnd(t *testing.T) {
	endless := filepath.Join(t.TempDir(), "endless.onnx")
	if err := os.WriteFile(endless, testkit.Endless().Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	commands := map[string][]string{
		"loop": {"bench", endless, "--n", "1"}, "conv": {"bench", bigConv(t, 1), "--n", "1"},
		"depthwise": {"bench", bigConv(t, 2), "--n", "1"},
		"hash":      {"inspect", hashed(t)},
	}
	for name, args := range commands {
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(name+"/"+s.String(), func(t *testing.T) {
				p := start(t, "gtk", append(args, "--json")...)
				time.Sleep(700 * time.Millisecond)
				if err := p.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				code, took := p.ends(t)
				t.Logf("%v", took)
				if code != 130 || took > promptly || !strings.Contains(p.err.String(), "gtk: interrupted\n") ||
					!strings.Contains(p.out.String(), `"kind":"interrupted"`) {
					t.Errorf("exit code %d after %v, want 130 at once: %s%s", code, took, p.err.String(), p.out.String())
				}
			})
		}
		t.Run(name+"/timeout", func(t *testing.T) {
			p := start(t, "gtk", append(args, "--json", "--timeout", "0.5")...)
			code, took := p.ends(t)
			if code != 124 || took < time.Second/2 || took > time.Second/2+promptly ||
				!strings.Contains(p.err.String(), "--timeout 500ms") ||
				!strings.Contains(p.out.String(), `"kind":"timeout"`) {
				t.Errorf("exit code %d after %v, want 124 after 0.5 s: %s%s", code, took, p.err.String(), p.out.String())
			}
		})
	}
}

// The first signal waits for what is being saved, the second does not; nothing half-written is left.
func TestSecondSignal(t *testing.T) {
	dir := t.TempDir()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t, "saving", filepath.Join(dir, "x"))
		for wait := time.Now(); len(files(t, dir)) == 0; time.Sleep(10 * time.Millisecond) {
			if time.Since(wait) > 20*time.Second {
				t.Fatal("nothing begins")
			}
		}
		time.Sleep(100 * time.Millisecond)
		for i := range 2 {
			if err := p.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond)
			if left := len(files(t, dir)); left != 1-i {
				t.Errorf("after signal %d there are %d files", i+1, left)
			}
		}
		if code, took := p.ends(t); code != 130 || took > promptly {
			t.Errorf("exit code %d after %v: %s", code, took, p.err.String())
		}
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A training that is told to stop, by a signal or by its time, saves where it is; resumed it ends with the model of one that went through.
func TestStoppedTraining(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "m.onnx")
	if code, _, e := run("models", "new", "mlp", "-o", model); code != 0 {
		t.Fatal(e)
	}
	args := func(out string, more ...string) []string {
		return append([]string{"finetune", model, "--data", "digits", "--epochs", "120", "--batch-size", "8", "--threads", "1", "-o",
			filepath.Join(dir, out)}, more...)
	}
	if code, _, e := run(args("through")...); code != 0 {
		t.Fatal(e)
	}
	want, err := os.ReadFile(filepath.Join(dir, "through", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"SIGTERM", "timeout"} {
		out, code, p := filepath.Join(dir, how), 0, (*started)(nil)
		if how == "timeout" {
			p = start(t, "gtk", args(how, "--timeout", "0.8s")...)
			code, _ = p.ends(t)
		} else {
			p = start(t, "gtk", args(how)...)
			time.Sleep(800 * time.Millisecond)
			if err := p.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			code, _ = p.ends(t)
		}
		if wantCode := map[string]int{"SIGTERM": 130, "timeout": 124}[how]; code != wantCode ||
			!strings.Contains(p.err.String(), "saved in") {
			t.Errorf("%s: exit code %d: %s%s", how, code, p.err.String(), p.out.String())
			continue
		}
		if code, _, e := run("finetune", "--resume", out); code != 0 {
			t.Fatalf("%s: %s", how, e)
		}
		if got, err := os.ReadFile(filepath.Join(out, "model.onnx")); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: the resumed model differs (%v)", how, err)
		}
	}
}

// Readers who have seen enough do not end a training, and make no error of what only prints.
func TestClosedPipe(t *testing.T) {
	dir := t.TempDir()
	model, out := filepath.Join(dir, "m.onnx"), filepath.Join(dir, "out.onnx")
	if code, _, e := run("models", "new", "mlp", "-o", model); code != 0 {
		t.Fatal(e)
	}
	// head runs a command whose output and errors are read up to the first line.
	head := func(args ...string) (line string, code int) {
		c := exec.Command(gtkProgram(t), args...)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stdout, c.Stderr = w, w
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		w.Close()
		line, err = bufio.NewReaderSize(r, 16).ReadString('\n')
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		r.Close()
		_ = c.Wait() // the code says how it ended
		return line, c.ProcessState.ExitCode()
	}
	if line, code := head("finetune", model, "--data", "digits", "--epochs", "20", "--progress", "plain", "-v", "-o", out); code != 0 ||
		line == "" {
		t.Errorf("finetune: exit code %d after %q", code, line)
	}
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{
		{"inspect", model}, {"ops"}, {"run", model, "--data", "digits"}, {"eval", model, "--data", "digits", "--json"}, {"data", "--list"},
		{"completion", "bash"}, {"--help"}, {"models", "new", "resnet18", "-o", "-"},
	} {
		if line, code := head(args...); code != 0 || line == "" {
			t.Errorf("gtk %s: exit code %d after %q", strings.Join(args, " "), code, line)
		}
	}
	if _, code := head("verify", model, out); code != 1 {
		t.Errorf("verify: exit code %d, want 1", code)
	}
}
