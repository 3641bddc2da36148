//go:build linux

package torture

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

func init() {
	kinds = append(kinds, kind{name: "signal",
		what: "SIGINT and SIGTERM at any moment of any work, once and twice, and pipes that close", share: 0.08, per: 0.01,
		cases: func(*campaign) int { return endless }, run: signalled})
}

// The time in which a command must end that is interrupted, and in which a training must, which saves.
const (
	promptly = 300 * time.Millisecond
	saving   = time.Second
)

// long is work that takes long, so that a signal finds it busy.
type long struct {
	name  string
	make  func(t *trial)
	line  string
	saves bool
}

var longs = []long{
	{name: "bench", line: "bench mlp.onnx --n 100000000"},
	{name: "train", line: "finetune mlp.onnx --data digits --epochs 100000 -o out", saves: true},
	{name: "train-shapes",
		line:  "finetune mlp.onnx --data shapes?n=1000000&size=8#train --channels gray --num-classes auto --epochs 100 -o out",
		saves: true},
	{name: "score", line: "score-data mlp.onnx --data shapes?n=10000000&size=8#train --channels gray --num-classes auto --score el2n -o out"},
	{name: "prove", line: "prune-data mlp.onnx --data digits --score el2n --keep 0.5 --prove --prove-runs 500 -o out"},
	{name: "eval", line: "eval mlp.onnx --data shapes?n=10000000&size=8#train --channels gray"},
	{name: "predict", line: "run mlp.onnx --data shapes?n=10000000&size=8#train --channels gray -o out.csv"},
	{name: "convert", line: "data convert shapes?n=1000000&size=64#train -o out"},
	{name: "info", line: "data info shapes?n=100000000&size=64#train"},
	{name: "explain", line: "explain mlp.onnx --data digits --n 1700 --method smoothgrad -o out"},
	{name: "demo", line: "demo -o out"},
	{name: "lr-find", line: "lr-find mlp.onnx --data shapes?n=1000000&size=8#train --channels gray"},
	{name: "nodes", line: "inspect model.onnx", make: func(t *trial) {
		b := newBuild().node("Relu x -> c0")
		for i := range 300000 {
			b.nodef("Neg c%d -> c%d", i, i+1)
		}
		b.nodef("Relu c%d -> y", 300000).save(t)
	}},
	{name: "axes", line: "inspect model.onnx", make: func(t *trial) {
		v := make([]int64, 300000)
		for i := range v {
			v[i] = int64(i)
		}
		newBuild().ints("a", v...).node("Unsqueeze x,a -> y").save(t)
	}},
	{name: "outputs", line: "bench model.onnx --n 1000000", make: func(t *trial) {
		b := newBuild().node("Relu x -> y")
		for i := range 100000 {
			b.nodef("Identity y -> o%d", i)
			b.g.Output = append(b.g.Output, onnx.ValueInfo(fmt.Sprint("o", i), tensor.Float32, 1, 1, 8, 8))
		}
		b.save(t)
	}},
	{name: "functions", line: "import model.onnx", make: func(t *trial) {
		b := newBuild()
		for i := range 30000 {
			op, domain := "Relu", ""
			if i > 0 {
				op, domain = fmt.Sprint("F", i-1), "f"
			}
			n := node(op + " a -> b")
			n.Domain = &domain
			b.m.Functions = append(b.m.Functions, &onnxpb.FunctionProto{Name: proto.String(fmt.Sprint("F", i)), Domain: proto.String("f"),
				Input: []string{"a"}, Output: []string{"b"},
				Node: []*onnxpb.NodeProto{n}, OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""),
					Version: proto.Int64(17)},
					{Domain: proto.String("f"), Version: proto.Int64(1)}}})
		}
		b.m.OpsetImport = []*onnxpb.OperatorSetIdProto{{Domain: proto.String("f"), Version: proto.Int64(1)}}
		n := node("F29999 x -> y")
		n.Domain = proto.String("f")
		b.g.Node = append(b.g.Node, n)
		b.save(t)
	}},
	{name: "loop", line: "run model.onnx x.npy", make: func(t *trial) { t.loop("Identity s -> t") }},
	{name: "loop-work", line: "bench model.onnx --n 1", make: func(t *trial) { t.loop("Tanh s -> t") }},
	{name: "fold", line: "inspect model.onnx", make: func(t *trial) {
		b, last := newBuild().ones("a", 2000, 2000), "a"
		for i := range 300 {
			b.nodef("MatMul %s,a -> m%d", last, i)
			last = fmt.Sprint("m", i)
		}
		b.nodef("ReduceMax %s -> m", last).node("Add x,m -> y").save(t)
	}},
	{name: "product", line: "run model.onnx x.npy", make: func(t *trial) { // one node that takes long
		newBuild().ints("n", 1, 8, 8000, 8000).node("Expand x,n -> e").node("Transpose e -> f", onnx.AttrInts("perm", 0, 1, 3, 2)).
			node("MatMul e,f -> p").node("ReduceMax p -> y").save(t)
	}},
	{name: "checksum", line: "bench external.onnx --n 1", make: func(t *trial) { // of 20 GB
		t.hole("w.bin", 20<<30)
		b := newBuild()
		w := externalTensor("w", "w.bin", 1, 16)
		for k, v := range map[string]string{"length": "64", "offset": "0", "checksum": strings.Repeat("0", 40)} {
			w.ExternalData = append(w.ExternalData, &onnxpb.StringStringEntryProto{Key: &k, Value: &v})
		}
		b.g.Initializer = append(b.g.Initializer, w)
		b.node("ReduceMax w -> m").node("Add x,m -> y").save(t)
		_ = os.Rename(filepath.Join(t.dir, "model.onnx"), filepath.Join(t.dir, "external.onnx")) // in the same folder
	}},
	{name: "data-sum", line: "finetune mlp.onnx --data text:d.txt?length=64 --max-steps 3 -o out", make: func(t *trial) {
		t.hole("d.txt",
			1<<33)
	}},
	{name: "pictures", line: "eval mlp.onnx --data imagefolder:f --channels gray", make: func(t *trial) {
		b := pngOf(8000, 8000, 8, 0)
		for i := range 40 {
			t.write(fmt.Sprintf("f/%c/%d.png", 'a'+i%2, i), b)
		}
	}},
	{name: "csv", line: "eval table.onnx --data csv:d.csv", make: func(t *trial) {
		t.stream("d.csv", strings.NewReader("a,b,label\n"), repeated("1,2,0\n1,3,1\n", 60<<20))
	}},
	{name: "gz", line: "data info csv:d.csv.gz", make: func(t *trial) {
		t.stream("d.csv.gz", strings.NewReader("a,b,label\n"), repeated("1,2,0\n1,3,1\n", 1<<30))
	}},
	{name: "npz", line: "eval mlp.onnx --data npz:d.npz", make: func(t *trial) {
		t.zipped("d.npz", func(add func(string, ...io.Reader)) {
			add("x.npy", strings.NewReader(npyHead("<f4", "3000000,1,8,8")), zeros(3000000*256))
			add("y.npy", strings.NewReader(npyHead("<i8", "3000000,")), zeros(3000000*8))
		})
	}},
	{name: "pipe", line: "inspect pipe", make: func(t *trial) { _ = syscall.Mkfifo(filepath.Join(t.dir, "pipe"), 0o666) }},
	{name: "verify", line: "verify mlp.onnx mlp.onnx --cases 1000000000"},
}

// loop writes a model that would run for ever.
func (t *trial) loop(step string) {
	g := &onnxpb.GraphProto{Name: proto.String("b"), Node: []*onnxpb.NodeProto{node("Identity on -> still"), node(step)},
		Input:  []*onnxpb.ValueInfoProto{onnx.ValueInfo("i", tensor.Int64), onnx.ValueInfo("on", tensor.Bool), {Name: proto.String("s")}},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("still", tensor.Bool), {Name: proto.String("t")}}}
	newBuild().number("n", 1<<62).node("Loop n,,x -> y", onnx.AttrGraph("body", g)).save(t)
	t.tensorFile("x.npy", tensor.New(tensor.Float32, 1, 1, 8, 8))
}

// signalled interrupts long work at a random moment of its first two seconds; each fourth time twice, and each eighth a training loses
// what it prints to. A machine that is busy elsewhere makes times long: three of three tries must be late.
func signalled(t *trial) {
	if t.index%8 == 7 {
		closedPipe(t)
		return
	}
	w := longs[(t.index-t.index/8)%len(longs)]
	t.setUp()
	t.tensorFile("x.npy", tensor.New(tensor.Float32, 1, 1, 8, 8))
	if w.make != nil {
		w.make(t)
	}
	sig := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[t.rand.IntN(2)]
	twice := t.index%4 == 3
	most := promptly
	if w.saves && !twice {
		most = saving
	}
	var worst string
	for try := range 3 {
		if err := os.RemoveAll(filepath.Join(t.dir, "out")); err != nil {
			t.fail("torture", "%v", err)
		}
		_ = os.Remove(filepath.Join(t.dir, "out.csv")) // or not there
		after := 20*time.Millisecond + time.Duration(t.rand.Int64N(int64(2*time.Second)))
		t.notes = []string{fmt.Sprintf("gtk %s, %v after %v, twice: %v, try %d", w.line, sig, after.Round(time.Millisecond), twice, try+1)}
		var sent time.Time
		o := t.exec(command{args: strings.Fields(w.line), env: []string{"GTK_PROGRESS=none"}, limits: limits{cpu: time.Minute,
			wall: 20 * time.Second}, during: func(p *os.Process) {
			time.Sleep(after)
			if twice {
				_ = p.Signal(sig) // it may have ended
				time.Sleep(50 * time.Millisecond)
			}
			sent = time.Now()
			_ = p.Signal(sig) // it may have ended
		}})
		late := time.Since(sent)
		if o.Code != 130 && o.Signal == "" && o.Stopped == "" { // it had ended by itself
			if l := (limits{codes: []int{0, 1, 2, 3, 4}, cpu: time.Hour, bytes: 4 << 30}); len(o.wrong(l)) > 0 {
				t.fail(w.name+"/"+o.wrong(l)[0], "%s", o)
			}
			return
		}
		if o.Stopped != "" {
			t.fail(fmt.Sprintf("%s/%v-ignored%s", w.name, sig, place(string(o.Stderr))), "%s", o)
			return
		}
		early := after < 60*time.Millisecond // before the program was listening
		if o.Code != 130 && !early && !(twice && o.Signal != "") {
			t.fail(fmt.Sprintf("%s/exit-%d%s", w.name, o.Code, o.Signal), "%s", o)
			return
		}
		if late <= most {
			if w.saves && !twice && o.Code == 130 && t.sum(filepath.Join(t.dir, "out", "checkpoint.npz")) == "" &&
				strings.Contains(string(o.Stderr), "checkpoint") {
				t.fail(w.name+"/not-saved", "%s", o)
			}
			return
		}
		worst = fmt.Sprintf("ended %v after the signal, at most %v is promised\n%s", late.Round(time.Millisecond), most, o)
	}
	t.fail(w.name+"/late", "%s", worst)
}

// closedPipe has nobody listen to what a training prints: it must end with its model.
func closedPipe(t *trial) {
	t.setUp()
	line := []string{
		"finetune mlp.onnx --data digits --epochs 30 -o out.onnx --progress plain -v",
		"finetune mlp.onnx --data digits --epochs 30 -o out.onnx --progress json --json",
		"prune-data mlp.onnx --data digits --score el2n --keep 0.5 --prove --prove-runs 2 -o out.onnx --progress plain",
	}[t.index/8%3]
	r, w, err := os.Pipe()
	if err != nil {
		t.fail("torture", "%v", err)
		return
	}
	r.Close()
	t.notes = []string{"gtk " + line + " | (nobody)"}
	o := t.exec(command{args: strings.Fields(line), stdout: w, limits: limits{cpu: time.Minute, wall: 2 * time.Minute}})
	w.Close()
	if _, err := os.Stat(filepath.Join(t.dir, "out.onnx")); err != nil || o.Signal != "" {
		t.fail("closed-pipe/"+strings.Fields(line)[0], "%s: %v", o, err)
	}
}
