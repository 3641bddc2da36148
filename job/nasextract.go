package job

import (
	"context"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/nas"
	"github.com/gtk-onnx/gtk/onnx"
)

// Ways in which a network that is taken out of a supernet normalises.
const (
	NASEstimated = "estimated" // by statistics that are taken from the data anew, as any network
	NASBatch     = "batch"     // by those of the batch, as the supernet does while it is trained
)

// NASExtractConfig says which network is taken out of a supernet.
type NASExtractConfig struct {
	Model string // supernet, or the folder of its training; required
	ModelOptions
	Arch        string       // one operator for each choice, by numbers or names with commas between; required
	Data        string       // data from which statistics are taken; required unless BN is NASBatch
	Val         string       // data to measure on; "" for none
	DataOptions data.Options // of reading
	BN          string       // NASEstimated or NASBatch; "" means the former
	BatchSize   int          // in which statistics are taken and accuracy is measured; 0 means 64
	Estimate    int          // examples of Data that statistics are taken from; 0 means all
	Out         string       // file; required
	Force       bool         // replace it
	Seed        uint64       // of the order in which statistics are taken
}

// NASExtractReport says what was taken out.
type NASExtractReport struct {
	Schema     string    `json:"schema"`
	Model      string    `json:"model"`
	Space      string    `json:"space"`
	Arch       []int     `json:"arch"`
	Operators  string    `json:"operators"` // of its choices, for people
	BN         string    `json:"bn"`
	Out        string    `json:"out"`
	Parameters int       `json:"parameters"`
	MACs       int64     `json:"macs"`
	Accuracy   Number    `json:"accuracy"` // on Val; null without
	Loss       Number    `json:"loss"`
	Verify     *ReadBack `json:"verify"`
}

// NASExtract writes the network of one path as an ordinary model, reads it back and compares: its accuracy is that with which gtk nas rank
// ranks it, to the last bit.
func NASExtract(ctx context.Context, c NASExtractConfig, rep Reporter) (*NASExtractReport, error) {
	rep = orQuiet(rep)
	if c.BN == "" {
		c.BN = NASEstimated
	}
	switch {
	case c.BN != NASEstimated && c.BN != NASBatch:
		return nil, usagef("--bn %q: want estimated or batch", c.BN)
	case c.Estimate < 0 || c.Estimate == 1:
		return nil, usagef("--bn-examples %d: want 2 examples at least", c.Estimate)
	case c.Arch == "":
		return nil, usagef("gtk nas extract: which network is missing: give --arch with an operator for each choice, as in --arch 2,3,1")
	case c.Out == "":
		return nil, usagef("gtk nas extract: the output is missing: give -o FILE.onnx")
	case c.Data == "" && c.BN == NASEstimated:
		return nil, usagef("gtk nas extract: --data is missing: the statistics of batch normalisation are taken from the training data " +
			"for this " +
			"network; --bn batch writes one that normalises by the batch instead, and needs none")
	case c.Data == "" && c.Val != "":
		return nil, usagef("gtk nas extract: --val measures as gtk nas rank does: give --data too")
	case c.Val != "" && c.BN == NASBatch:
		return nil, usagef("gtk nas extract: by the statistics of the batch what the network says of an example depends on the others " +
			"of its batch: " +
			"leave out --val, or --bn batch")
	}
	release, err := claim(reads(c.Model, c.ModelOptions, c.Data, c.Val), output{flag: "--out", path: c.Out, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	if c.BN == NASBatch {
		return c.batch(ctx)
	}
	s, err := openSupernet(ctx, c.Model, c.ModelOptions, c.Data, c.Val, c.DataOptions, rep)
	if err != nil {
		return nil, err
	}
	archs, err := s.archsOf([]string{c.Arch})
	if err != nil {
		return nil, err
	}
	if err := s.remember(); err != nil {
		return nil, err
	}
	s.cache("")
	measure := s.measure(c.BatchSize, c.Estimate, c.Seed)
	m, plan, err := s.n.Network(ctx, archs[0], measure)
	if err != nil {
		return nil, err
	}
	r := c.report(s.n, s.path, archs[0])
	if r.Parameters = m.Weights().Parameters; c.Val != "" {
		got, err := s.n.Rank(ctx, archs, measure, nil)
		if err != nil {
			return nil, err
		}
		r.Accuracy, r.Loss = Number(got[0].Accuracy), Number(got[0].Loss)
	}
	if i, err := m.Inspect(nil); err == nil {
		r.MACs = i.MACs
	}
	file, err := m.Save()
	if err != nil {
		return nil, err
	}
	if err := file.WriteFile(c.Out, onnx.WriteOptions{Force: c.Force}); err != nil {
		return nil, err
	}
	again := *s.use
	l := *s.use.Model
	l.Model, again.Model, again.plan = m, &l, plan
	if r.Verify, err = (&trainee{use: &again, train: s.train}).verifyWritten(ctx, c.Out, c.Threads); err != nil {
		return nil, err
	}
	if !r.Verify.Pass {
		return r, &NoError{"the written model does not give the outputs of the path"}
	}
	return r, nil
}

// batch writes a network that normalises by the batch.
func (c NASExtractConfig) batch(ctx context.Context) (*NASExtractReport, error) {
	n, _, path, err := readSupernet(c.ModelOptions.Context, c.Model)
	if err != nil {
		return nil, err
	}
	arch, err := n.Parse(c.Arch)
	if err != nil {
		return nil, usagef("--arch: %v", err)
	}
	file, err := n.Path(arch, nas.Batch)
	if err != nil {
		return nil, err
	}
	m, err := engine.Load(file, engine.WithThreads(c.Threads))
	if err != nil {
		return nil, err
	}
	r := c.report(n, path, arch)
	r.Parameters = m.Weights().Parameters
	if i, err := m.Inspect(nil); err == nil {
		r.MACs = i.MACs
	}
	if err := file.WriteFile(c.Out, onnx.WriteOptions{Force: c.Force}); err != nil {
		return nil, err
	}
	back, err := ReadModel(c.Out)
	if err != nil {
		return nil, fmt.Errorf("reading the written model back: %w", err)
	}
	differs := onnx.CompareModels(file, back)
	r.Verify = &ReadBack{Pass: differs.Empty()}
	if !r.Verify.Pass {
		return r, &NoError{"the written model is not the path"}
	}
	return r, nil
}

func (c NASExtractConfig) report(n *nas.Supernet, path string, arch []int) *NASExtractReport {
	none := Number(math.NaN())
	return &NASExtractReport{Schema: "gtk.nas-extract/1", Model: path, Space: n.Name, Arch: arch, Operators: n.Describe(arch), BN: c.BN,
		Out:      c.Out,
		Accuracy: none, Loss: none}
}
