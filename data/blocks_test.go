package data

import (
	"fmt"
	"sync"
	"testing"
)

// Pieces that are forgotten are made again, and what is made at once by several goroutines is made once while it is kept.
func TestBlocks(t *testing.T) {
	owner := new(int)
	b := newBlocks[int]("pieces", owner)
	b.most = 10
	var mu sync.Mutex
	made := map[int]int{}
	get := func(k int) any {
		v, err := b.get(k, "a piece", func(ask func(int64) error) (any, error) {
			mu.Lock()
			made[k]++
			mu.Unlock()
			return k * k, ask(4)
		})
		if err != nil {
			t.Error(err)
		}
		return v
	}
	for k := range 4 {
		if get(k) != k*k {
			t.Error("another piece")
		}
	}
	if get(3); made[3] != 1 || b.held > b.most || len(b.kept) != b.used.Len() {
		t.Error(made, b.held, len(b.kept))
	}
	if get(0); made[0] != 2 {
		t.Error(made)
	}
	if _, err := b.get(9, "a piece", func(func(int64) error) (any, error) { return nil, fmt.Errorf("no") }); err == nil || b.kept[9] != nil {
		t.Error("an error is kept")
	}
	*owner = 1
}

// Any order and any number of goroutines give the same examples, with room for a page or two.
func TestParquetTogether(t *testing.T) {
	defer func(n int64) { keptTable = n }(keptTable)
	keptTable = 0
	ds := must(Open(parquetFile("table_zstd.parquet"), Options{}))(t)
	ds.(*parquetSet).pages.kept.most = 2000
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for k := range 200 {
				i := (k*7 + g*11) % 40
				e, err := ds.Example(i)
				if err != nil || e.X.F32()[0] != float32(i)/4 || e.X.F32()[1] != float32(i*7-20) {
					t.Error(i, e, err)
					return
				}
			}
		})
	}
	all.Wait()
}
