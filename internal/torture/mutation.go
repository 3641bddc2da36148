//go:build linux

package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

func init() {
	kinds = append(kinds, kind{
		name: "mutation", what: "models of ONNX's suite, real and built ones, changed in one to four places, and what the commands say to them",
		share: 0.45, per: 1, run: mutation,
		cases: func(c *campaign) int {
			if err := c.open(); err != nil {
				c.state["skip mutation"] = err.Error()
				return 0
			}
			return endless
		},
	})
}

// open makes what mutants need.
func (c *campaign) open() (err error) {
	if c.pool == nil {
		if c.pool, err = newPool(c.Shared); err != nil {
			return err
		}
		c.client = &client{command: c.Worker, dir: c.dir}
	}
	return nil
}

// modelVerbs are the commands that a mutant is given to: M is the mutant, O the model it was made of, FEED files for its inputs, D a data
// set that fits the model.
var modelVerbs = []struct {
	args   string
	weight int
}{
	{"inspect M", 6},
	{"inspect M --json", 2},
	{"inspect M --dot out.dot", 1},
	{"import M -o out.onnx", 4},
	{"import M --json", 1},
	{"import M -o out.onnx --opset 21", 2},
	{"import M -o out.onnx --opset 11", 1},
	{"import M -o out.onnx --infer-shapes", 2},
	{"export M -o out.onnx --train-step", 1},
	{"export M -o out.onnx --train-step --loss mse", 1},
	{"run M FEED -o out", 6},
	{"run M FEED --json", 2},
	{"run M --data D -o out.csv", 2},
	{"bench M --n 1 --warmup 0", 5},
	{"bench M --n 1 --warmup 0 --mode train", 3},
	{"bench M --n 1 --warmup 0 --mode grand", 2},
	{"export M -o out.onnx", 2},
	{"export M -o out.onnx --external-data", 2},
	{"export M -o out.onnx --inline --opset 17", 1},
	{"verify M O --cases 1", 2},
	{"diff O M", 2},
	{"explain M FEED -o out", 2},
	{"explain M --data D --n 1 -o out --method gradcam,gradient", 2},
	{"explain M --list-layers", 1},
	{"eval M --data D", 2},
	{"finetune M --data D --max-steps 1 --lr 0.01 -o out.onnx", 3},
	{"finetune M --data digits --max-steps 1 --num-classes auto --last-layer -o out", 1},
	{"finetune M --data D --max-steps 1 -o out --json --val-split 0.5", 1},
	{"lr-find M --data D", 1},
	{"probe sharpness M --data D --warm 2 -o out", 1},
	{"score-data M --data D --score el2n -o out", 2},
	{"score-data M --data D --score grand -o out", 1},
	{"prune-data M --data D --score el2n --keep 0.5 -o out", 1},
}

// verbFor chooses a command for a mutant.
func (t *trial) verbFor() string {
	total := 0
	for _, v := range modelVerbs {
		total += v.weight
	}
	n := t.rand.IntN(total)
	for _, v := range modelVerbs {
		if n -= v.weight; n < 0 {
			return v.args
		}
	}
	panic("torture: weights")
}

// modelArgs fills a command in.
func (p *prepared) modelArgs(verb, mutant string) ([]string, bool) {
	var args []string
	for _, a := range strings.Fields(verb) {
		switch a {
		case "M":
			a = mutant
		case "O":
			a = filepath.Join(p.dir, "original.onnx")
		case "D":
			if a = p.data; a == "" {
				return nil, false
			}
		case "FEED":
			for _, f := range p.feeds {
				args = append(args, "--input", f)
			}
			continue
		}
		args = append(args, a)
	}
	return args, true
}

// mutation makes a mutant and gives it to two or three commands, one of twenty to the program itself.
func mutation(t *trial) {
	i := t.pool.pick(t.rand)
	p, err := t.prepare(i)
	if err != nil {
		t.fail("torture", "%s: %v", t.pool.sources[i].name, err)
		return
	}
	rec := newRecipe(t.rand)
	b, what, err := rec.mutant(p.model)
	if err != nil {
		return // what protobuf cannot write is no file
	}
	file := filepath.Join(t.dir, "mutant.onnx")
	if err := os.WriteFile(file, b, 0o666); err != nil {
		t.fail("torture", "%v", err)
		return
	}
	l := mutantLimits
	if len(b) > 1<<20 {
		l.bytes += 100 * int64(len(b)) // a larger model is honest work
	}
	for n := range 2 + t.rand.IntN(2) {
		verb := t.verbFor()
		args, ok := p.modelArgs(verb, file)
		if !ok || p.tooSlow(t, verb) {
			continue
		}
		_ = os.RemoveAll(filepath.Join(t.dir, "out"))
		var o *outcome
		if n == 0 && t.rand.IntN(20) == 0 {
			o = t.exec(command{args: args, limits: l})
		} else if o, err = t.client.run(t.dir, l, args...); err != nil {
			t.fail("torture", "%v", err)
			return
		}
		if o.endedWhenAsked() && endlessLoop(b) {
			continue
		}
		for _, way := range o.wrong(codes(l, verb)) {
			t.notes = append([]string{p.name}, what...)
			t.smallest(p, rec, verb, way)
			t.fail(way, "%s", o)
		}
	}
	for _, f := range []string{"out.onnx", "out.dot", "out.csv", "out.onnx.data"} {
		_ = os.Remove(filepath.Join(t.dir, f))
	}
}

// endlessLoop reports whether a model has a Loop: it may be meant to run for days, and it is enough that it can be interrupted.
func endlessLoop(file []byte) bool {
	var m onnxpb.ModelProto
	if err := proto.Unmarshal(file, &m); err != nil {
		return false
	}
	return slices.ContainsFunc(nodes(&m), func(n *onnxpb.NodeProto) bool { return n.GetOpType() == "Loop" || n.GetOpType() == "Scan" })
}

// codes is l with the codes that a verb may end with.
func codes(l limits, verb string) limits {
	if strings.HasPrefix(verb, "verify") || strings.HasPrefix(verb, "diff") || strings.Contains(verb, "eval") {
		l.codes = append([]int{1}, l.codes...)
	}
	return l
}

// tooSlow reports whether a command takes long, or much memory, on the model that the mutant was made of: then it says nothing.
func (p *prepared) tooSlow(t *trial, verb string) bool {
	slow, known := p.slow[verb]
	if !known && proto.Size(p.model) > 64<<10 {
		args, _ := p.modelArgs(verb, filepath.Join(p.dir, "original.onnx"))
		dir := filepath.Join(t.campaign.dir, "slow")
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return true
		}
		defer os.RemoveAll(dir)
		o, err := t.client.run(dir, mutantLimits, args...)
		slow = err != nil || o.CPU.Seconds() > 1.5 || o.Peak > 512<<20 || o.Code < 0
		p.slow[verb] = slow
	}
	return slow
}

// smallest looks for one of the changes that fails alone in the same way, and leaves that mutant in the folder as smallest.onnx.
func (t *trial) smallest(p *prepared, rec recipe, verb, way string) {
	sig := t.kind + "/" + way
	if f := t.failures[sig]; len(rec.seeds) == 1 && !rec.damage || f != nil && f.count >= 2 || strings.HasPrefix(way, "slow") ||
		strings.HasPrefix(way, "hang") {
		return
	}
	file := filepath.Join(t.dir, "smallest.onnx")
	for _, s := range rec.seeds {
		one := recipe{seeds: [][2]uint64{s}}
		b, what, err := one.mutant(p.model)
		if err != nil || os.WriteFile(file, b, 0o666) != nil {
			continue
		}
		args, _ := p.modelArgs(verb, file)
		o, err := t.client.run(t.dir, mutantLimits, args...)
		if err != nil {
			continue
		}
		for _, w := range o.wrong(codes(mutantLimits, verb)) {
			if w == way {
				t.notes = []string{p.name, fmt.Sprintf("%s (this alone: smallest.onnx)", strings.Join(what, "; "))}
				return
			}
		}
	}
	_ = os.Remove(file)
}
