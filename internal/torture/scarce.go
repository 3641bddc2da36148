//go:build linux

package torture

import (
	"bytes"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/tensor"
)

// ordinary are commands as people give them; some need memory.
var ordinary = []string{
	"inspect a.onnx", "import a.onnx -o i.onnx", "run a.onnx x.npy -o r", "run a.onnx --data digits -o r.csv",
	"verify a.onnx b.onnx --rtol 100", "diff a.onnx b.onnx",
	"bench a.onnx --n 3", "bench a.onnx --n 3 --mode train", "bench a.onnx --n 3 --mode grand", "eval a.onnx --data digits",
	"finetune a.onnx --data digits --max-steps 20 -o f", "finetune a.onnx --data digits --max-steps 20 --val-split 0.2 -o f.onnx",
	"lr-find a.onnx --data digits",
	"explain a.onnx --data digits --n 3 -o e", "score-data a.onnx --data digits --score el2n,grand -o s",
	"prune-data a.onnx --data digits --score el2n --keep 0.3 --export -o p",
	"export a.onnx --external-data -o x.onnx", "models new resnet18 -o n.onnx", "data info digits",
	"data convert shapes?n=60&size=16#train -o d",
	"doctor", "version",
	"bench resnet.onnx --n 1", "bench resnet.onnx --n 1 --batch 64", "bench resnet.onnx --n 1 --mode train --batch 32",
	"bench resnet.onnx --n 1 --mode train --batch 96",
	"bench resnet.onnx --n 1 --mode grand --batch 16", "inspect resnet.onnx --batch 100000",
	"finetune resnet.onnx --data shapes?n=64&size=224#train --batch-size 64 --num-classes auto --max-steps 1 -o rf",
	"eval a.onnx --data imagefolder:f --channels gray --threads 8", "explain a.onnx p.png --channels gray -o e2", "data info csv:d.csv",
	"eval a.onnx --data npz:d.npz",
	"finetune a.onnx --data digits --max-steps 20 -o f --threads 64",
	"finetune a.onnx --data idx:many#train --max-steps 2 --val-split 0.1 -o fm --timeout 60s",
	"finetune a.onnx --data idx:many#train --max-steps 2 --sampler balanced -o fb --timeout 60s",
	"score-data a.onnx --data idx:many#train -o sm --timeout 30s", "data convert idx:many#train -o m.npz --timeout 60s",
}

// scarcities are limits. Below 800 MB of address space, and between 1.2 and 1.3 GB, no Go program starts.
var scarcities = []struct{ name, ulimit string }{
	{"descriptors-16", "-n 16"}, {"descriptors-32", "-n 32"}, {"memory-1500", "-v 1536000"}, {"memory-900", "-v 900000"},
	{"memory-data-600", "-d 600000"},
}

func init() {
	kinds = append(kinds, kind{name: "scarce",
		what: "ordinary commands with few descriptors or little memory: they work, or say what is short", share: 0.06,
		cases: func(*campaign) int { return len(ordinary) * len(scarcities) }, run: scarce})
}

func scarce(t *trial) {
	line, s := ordinary[t.index%len(ordinary)], scarcities[t.index/len(ordinary)]
	for _, setup := range []string{"models new mlp --seed 1 -o a.onnx", "models new mlp --seed 2 -o b.onnx"} {
		if !t.must(strings.Fields(setup)...) {
			return
		}
	}
	if strings.Contains(line, "resnet.onnx") && !t.must("models", "new", "resnet18", "-o", "resnet.onnx") {
		return
	}
	t.tensorFile("x.npy", tensor.New(tensor.Float32, 1, 1, 8, 8))
	switch {
	case strings.Contains(line, "imagefolder") || strings.Contains(line, "p.png"):
		b := pngOf(6000, 6000, 8, 2)
		t.write("p.png", b)
		for _, n := range []string{"f/a/1.png", "f/a/2.png", "f/a/3.png", "f/a/4.png", "f/b/1.png", "f/b/2.png", "f/b/3.png",
			"f/b/4.png"} {
			t.write(n, b)
		}
	case strings.Contains(line, "d.csv"):
		t.stream("d.csv", strings.NewReader("a,b,label\n"), repeated("1,2,0\n1,3,1\n", 12*(17<<20)))
	case strings.Contains(line, "idx:many"):
		const n = 36 << 20 // lists of the examples alone are more than their pictures, of one pixel
		head := []byte{0, 0, 8, 3, n >> 24, n >> 16 & 255, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}
		t.stream("many/train-images-idx3-ubyte", bytes.NewReader(head), repeated("\x00\x01\x02\x03", n))
		head = []byte{0, 0, 8, 1, n >> 24, n >> 16 & 255, 0, 0}
		t.stream("many/train-labels-idx1-ubyte", bytes.NewReader(head), repeated("\x00\x01\x02\x03", n))
	case strings.Contains(line, "d.npz"):
		b := bombs["data-bomb"]
		for _, x := range b {
			if x.name == "npz-zeros" {
				x.make(t, 1<<28)
			}
		}
	}
	l := limits{cpu: 2 * time.Minute, wall: 5 * time.Minute, bytes: 16 << 30, codes: []int{0, 3}}
	if strings.Contains(line, "100000") {
		l.codes = append(l.codes, 2) // it asks for a smaller batch
	}
	if strings.HasPrefix(s.name, "descriptors") {
		l.codes, l.bytes = []int{0, 2, 4}, 16<<30
	}
	if strings.Contains(line, "--timeout") {
		l.codes = append(l.codes, 124)
	}
	t.note("ulimit %s; gtk %s", s.ulimit, line)
	o := t.exec(command{args: strings.Fields(line), ulimit: s.ulimit, limits: l})
	name := s.name + "/" + strings.Fields(line)[0]
	for _, way := range o.wrong(l) {
		t.fail(name+"/"+way, "gtk %s\n%s", line, o)
	}
	if o.Code == 3 && !strings.Contains(string(o.Stderr), "memory") {
		t.fail(name+"/says-nothing-of-memory", "gtk %s\n%s", line, o)
	}
}
