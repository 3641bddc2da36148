package job

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/fleet"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// shards are the partitions of the data of a training: examples in an order by the seed, cut into as equal parts as can be.
type shards struct {
	f     *finetuning
	order []int
	n     int // partitions
	kept  map[int]*data.Batch
	left  int64 // bytes that may still be kept
	keys  map[int]fleet.Key
}

// shardBytes is how much of its data a worker keeps in memory, prepared.
const shardBytes = 512 << 20

func newShards(f *finetuning, n int, seed uint64) *shards {
	return &shards{f, data.Shuffled(f.train.Len(), seed^0x736861726473).Order(0), n, map[int]*data.Batch{}, shardBytes, map[int]fleet.Key{}}
}

// batch is partition p, and the hash of its content.
func (s *shards) batch(ctx context.Context, p int) (*data.Batch, fleet.Key, error) {
	if b := s.kept[p]; b != nil {
		return b, s.keys[p], nil
	}
	n := len(s.order)
	sub, err := data.Subset(s.f.train, s.order[n*p/s.n:n*(p+1)/s.n])
	if err != nil {
		return nil, "", err
	}
	o := data.BatchOptions{Preprocess: s.f.pre, Masks: s.f.task.Masks(), Workers: 1}
	for b, err := range data.Batches(ctx, sub, data.Sequential(sub.Len()), 0, o) {
		if err != nil {
			return nil, "", err
		}
		b = b.Clone()
		if s.keys[p] == "" {
			s.keys[p] = contentOf(b)
		}
		if size := int64(batchBytes(b)); size <= s.left {
			s.kept[p], s.left = b, s.left-size
		}
		return b, s.keys[p], nil
	}
	return nil, "", ctx.Err()
}

// tensors are those of b in a fixed order, nil for what it does not have.
func tensorsIn(b *data.Batch) []*tensor.Tensor {
	all := []*tensor.Tensor{b.X, b.Y, b.Mask}
	for _, name := range slices.Sorted(maps.Keys(b.Fields)) {
		all = append(all, b.Fields[name])
	}
	return all
}

func batchBytes(b *data.Batch) int {
	n := 0
	for _, t := range tensorsIn(b) {
		if t != nil {
			n += len(t.Bytes())
		}
	}
	return n
}

// contentOf is the hash of what a model sees of b.
func contentOf(b *data.Batch) fleet.Key {
	h := sha256.New()
	for _, t := range tensorsIn(b) {
		if t == nil {
			h.Write([]byte{0})
			continue
		}
		binary.Write(h, binary.LittleEndian, int64(t.DType()))
		for _, d := range t.Shape() {
			binary.Write(h, binary.LittleEndian, int64(d))
		}
		h.Write(t.Bytes())
	}
	for _, y := range b.Labels {
		binary.Write(h, binary.LittleEndian, int64(y))
	}
	return fleet.Key(hex.EncodeToString(h.Sum(nil)))
}

// piece adds partition p at the loaded weights to sum: a function of the partition and of the step of the training, not of who computes it.
func (s *shards) piece(ctx context.Context, part *train.Partial, p, step int, seed uint64, to train.Adder) (fleet.Key, error) {
	b, key, err := s.batch(ctx, p)
	if err != nil {
		return "", err
	}
	const odd = 0x1e3779b97f4a7c15 // spreads the places
	return key, part.Add(ctx, b, (int64(seed<<32)+int64(step))^int64(p+1)*odd, to)
}

// together is the hash of several.
func together(keys []fleet.Key) fleet.Key {
	var b bytes.Buffer
	for _, k := range keys {
		b.WriteString(string(k))
	}
	return fleet.KeyOf(b.Bytes())
}
