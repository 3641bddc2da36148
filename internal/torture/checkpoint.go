//go:build linux

package torture

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	kinds = append(kinds, kind{name: "checkpoint",
		what: "checkpoints and configs of runs that were changed: refused, never continued with nonsense", share: 0.05, per: 0.02,
		cases: func(*campaign) int { return endless }, run: checkpoint})
}

// started is a training that was broken off after a few steps, made once.
func (c *campaign) started() (dir string, err error) {
	dir = filepath.Join(c.dir, "started")
	if c.state["started"] != nil {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	for _, line := range []string{"models new mlp -o m.onnx",
		"finetune m.onnx --data digits --max-steps 12 --optimizer adamw --checkpoint-every 5 -o out"} {
		wait, _, err := c.start(command{args: strings.Fields(line), dir: dir, limits: limits{cpu: time.Minute, wall: time.Minute}})
		if err != nil {
			return "", err
		}
		if o := wait(); o.Code != 0 {
			return "", errors.New(o.String())
		}
	}
	c.state["started"] = true
	return dir, nil
}

// checkpoint changes the checkpoint, or the config, of a run and goes on from it.
func checkpoint(t *trial) {
	dir, err := t.started()
	if err == nil {
		err = os.CopyFS(t.dir, os.DirFS(dir))
	}
	if err != nil {
		t.fail("setup", "%v", err)
		return
	}
	name := "checkpoint.npz"
	if t.index%5 == 4 {
		name = "run.yaml"
	}
	path := filepath.Join(t.dir, "out", name)
	b, err := os.ReadFile(path)
	if err != nil {
		t.fail("setup", "%v", err)
		return
	}
	senseless := false
	if name == "run.yaml" || t.index%5 == 3 {
		var said string
		b, said = damage(t.rand, b)
		t.note("%s: %s", name, said)
	} else {
		b, senseless = t.changeArchive(b)
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.fail("torture", "%v", err)
		return
	}
	line := "finetune --resume out"
	if t.index%3 == 1 {
		senseless = senseless && !slices.ContainsFunc(t.notes, func(n string) bool { // what the flag is for: the rest is begun anew
			return strings.HasPrefix(n, "record.npy ") || strings.HasPrefix(n, "optim/") || strings.HasSuffix(n, " is left out") ||
				strings.HasSuffix(n, " has another name")
		})
		line = "finetune m.onnx --data digits --max-steps 14 --optimizer adamw --resume out/checkpoint.npz --resume-anyway -o new.onnx"
	}
	t.note("gtk %s", line)
	l := mutantLimits
	l.codes = append([]int{1}, l.codes...) // weights may be so large that the file written does not give the same
	o := t.exec(command{args: strings.Fields(line), limits: l})
	for _, way := range o.wrong(l) {
		t.fail(way, "%s", o)
	}
	if senseless && o.Code == 0 {
		t.fail("went-on", "%s\n%s", strings.Join(t.notes, "\n"), o)
	}
}

// changeArchive changes one array of a checkpoint; senseless says that no training can go on from it.
func (t *trial) changeArchive(b []byte) (out []byte, senseless bool) {
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.fail("setup", "%v", err)
		return b, false
	}
	var w bytes.Buffer
	z := zip.NewWriter(&w)
	at := t.rand.IntN(len(r.File))
	if t.rand.IntN(3) == 0 {
		at = t.rand.IntN(2) // the step and the record
	}
	for i, f := range r.File {
		rc, err := f.Open()
		if err != nil {
			t.fail("setup", "%v", err)
			return b, false
		}
		x, err := io.ReadAll(rc)
		rc.Close()
		if err != nil {
			t.fail("setup", "%v", err)
			return b, false
		}
		name, times := f.Name, 1
		if i == at {
			x, name, times, senseless = t.changeArray(x, name)
		}
		for range times {
			e, err := z.Create(name)
			if err == nil {
				_, err = e.Write(x)
			}
			if err != nil {
				t.fail("torture", "%v", err)
			}
		}
	}
	if err := z.Close(); err != nil {
		t.fail("torture", "%v", err)
	}
	return w.Bytes(), senseless
}

// changeArray changes a .npy file, its name or how often it is there.
func (t *trial) changeArray(x []byte, name string) (b []byte, as string, times int, senseless bool) {
	n := 0
	if len(x) > 10 {
		n = min(len(x), 10+int(binary.LittleEndian.Uint16(x[8:])))
	}
	body := x[n:]
	switch t.rand.IntN(8) {
	case 0:
		t.note("%s is left out", name)
		return x, name, 0, true
	case 1:
		t.note("%s is there twice", name)
		return x, name, 2, false
	case 2:
		t.note("%s has another name", name)
		return x, name + "x", 1, true
	case 3, 4:
		v := some(t.rand, []float32{float32(math.NaN()), float32(math.Inf(1)), 1e38})
		if strings.HasPrefix(name, "param/") || strings.Contains(name, ".m.npy") || strings.Contains(name, ".v.npy") {
			binary.LittleEndian.PutUint32(body[t.rand.IntN(len(body)/4)*4:], math.Float32bits(v))
			t.note("a number of %s is %v", name, v)
			return x, name, 1, v != 1e38
		}
		fallthrough
	case 5:
		if len(body) == 8 {
			v := some(t.rand, []int64{-1, 1 << 31, 1<<63 - 1, -1 << 63, 3})
			binary.LittleEndian.PutUint64(body, uint64(v))
			t.note("%s is %d", name, v)
			return x, name, 1, true
		}
		fallthrough
	case 6:
		var other bytes.Buffer
		// into memory
		_ = tensor.WriteNPY(&other, tensor.New(some(t.rand, []tensor.DType{tensor.Float64, tensor.Int64, tensor.Uint8}), 3, 1))
		t.note("%s is another array", name)
		return other.Bytes(), name, 1, true
	}
	if len(body) > 0 {
		for range 1 + t.rand.IntN(20) {
			body[t.rand.IntN(len(body))] ^= byte(1 + t.rand.IntN(255))
		}
	}
	t.note("bytes of %s are changed", name)
	return x, name, 1, false
}
