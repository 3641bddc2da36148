package data

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// tinyIDX is a folder of n pictures of 1×2 pixels: the lower bytes of the index; classes by its lowest digit.
func tinyIDX(t *testing.T, n int) string {
	dir := t.TempDir()
	x := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 3}, uint32(n))
	x = append(x, 0, 0, 0, 1, 0, 0, 0, 2)
	y := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, uint32(n))
	for i := range n {
		x, y = append(x, byte(i>>8), byte(i)), append(y, byte(i%10))
	}
	write1(t, filepath.Join(dir, "train-images-idx3-ubyte"), x)
	write1(t, filepath.Join(dir, "train-labels-idx1-ubyte"), y)
	return dir
}

func TestRowsAhead(t *testing.T) {
	defer func(n int64) { keptArray = n }(keptArray)
	keptArray = 0
	const n = 300_000 // more than two pieces of rows
	ds := must(Open(tinyIDX(t, n), Options{}))(t)
	check := func(i int) {
		e, err := ds.Example(i)
		if err != nil || e.X.Bytes()[0] != byte(i>>8) || e.X.Bytes()[1] != byte(i) || e.Label != i%10 {
			t.Errorf("example %d: %v, label %d, error %v", i, e.X, e.Label, err)
		}
		if err == nil {
			e.X.Bytes()[0] ^= 255 // no other reader sees it
		}
	}
	var all sync.WaitGroup
	for k := range 4 { // side by side
		all.Go(func() {
			for i := k; i < n; i += 4 {
				check(i)
			}
		})
	}
	all.Wait()
	for i := n - 1; i >= 0; i -= 7 {
		check(i)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		check(r.IntN(n))
	}
}

// vast is a data set of so many examples that an order of them has no room.
type vast struct{ Dataset }

func (v vast) Len() int                       { return math.MaxInt / 2 }
func (v vast) ID(i int) string                { return strconv.Itoa(i) }
func (v vast) Example(i int) (Example, error) { return v.Dataset.Example(i % v.Dataset.Len()) }

func TestNoOrderWhereNothingIsShuffled(t *testing.T) {
	ds := vast{must(Open("digits", Options{}))(t)}
	at := ds.Len() - ds.Len()%1000 - 3000
	for b, err := range Batches(context.Background(), ds, Sequential(ds.Len()), 1000, BatchOptions{Skip: at / 1000}) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Index[0] != at {
			t.Fatal(b.Index[0], at)
		}
		at += b.Len()
	}
	if at != ds.Len() {
		t.Errorf("ends at %d of %d", at, ds.Len())
	}
}
