package data

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// BadSample is an example that cannot be read and was left out.
type BadSample struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Skipped is the examples that Options.OnBadSample left out of ds, in the order of the data; it looks through subsets.
func Skipped(ds Dataset) []BadSample {
	for ; ds != nil; ds = inner(ds) {
		if s, ok := ds.(*readableOnly); ok {
			return s.bad
		}
	}
	return nil
}

// readableOnly is a data set without its bad samples.
type readableOnly struct {
	*subset
	bad []BadSample
}

func (s *readableOnly) Notes() []string {
	if len(s.bad) == 0 {
		return nil
	}
	var names []string
	for _, b := range s.bad[:min(5, len(s.bad))] {
		names = append(names, b.ID)
	}
	return []string{fmt.Sprintf("%d of %d examples cannot be read and were left out: %s", len(s.bad), s.Dataset.Len(),
		some(names, len(s.bad)))}
}

// skipBad does what o.OnBadSample says. What a file holds is known only when it is decoded, and which examples there are must not depend
// on who reads first, so all files are read here, on all processors; data in memory has been read already.
func skipBad(spec string, ds Dataset, o Options) (Dataset, error) {
	switch o.OnBadSample {
	case "", "error":
		return ds, nil
	case "skip":
	default:
		return nil, malformed(spec, "", "need error or skip", "on bad sample %q", o.OnBadSample)
	}
	if _, late := ds.(turning); ds.Len() == 0 || !late && FileOf(ds, 0) == "" {
		return ds, nil
	}
	errs := make([]error, ds.Len())
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(errs) {
					return
				}
				_, errs[i] = ds.Example(i)
			}
		})
	}
	all.Wait()
	s := &readableOnly{subset: &subset{ds, newIndices(0, ds.Len())}}
	for i, err := range errs {
		if err != nil {
			s.bad = append(s.bad, BadSample{ds.ID(i), strings.TrimPrefix(err.Error(), "data: ")})
		} else {
			s.index.add(i)
		}
	}
	if s.Len() == 0 {
		return nil, fmt.Errorf("data: %s: none of %d examples can be read; the first: %w", spec, len(errs), errs[0])
	}
	return s, nil
}
