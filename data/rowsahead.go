package data

import "sync"

// aheadBytes is how much of an array is read at once where its rows are asked for one after another.
const aheadBytes = 256 << 10

// ahead is what was read of an array beyond the row that was asked for: to open a file for each of many small rows takes longer than all
// that is done with them.
type ahead struct {
	mu    sync.Mutex
	last  [2]piece // those who read side by side are not always in the same one
	at    int      // the piece of the last reads
	reads int      // that came one after another in it
}

// piece is rows that lie behind one another.
type piece struct {
	k   int // which
	raw []byte
}

// bytes is a copy of row i.
func (s *stored) bytes(i int) ([]byte, error) {
	size := s.dtype.Size(s.shape.Len())
	rows := aheadBytes / max(size, 1) // of a piece
	const enough = 8
	if rows < enough || size == 0 {
		return s.disk.piece(s.at+int64(i)*int64(size), int64(size))
	}
	k := i / rows
	s.ahead.mu.Lock()
	defer s.ahead.mu.Unlock()
	a := &s.ahead
	follows := false
	for _, have := range a.last {
		if have.raw != nil && have.k == k {
			from := (i - k*rows) * size
			return append([]byte(nil), have.raw[from:from+size]...), nil
		}
		follows = follows || have.raw != nil && have.k+1 == k
	}
	if a.at != k {
		a.at, a.reads = k, 0
	}
	if a.reads++; a.reads < enough && !follows {
		return s.disk.piece(s.at+int64(i)*int64(size), int64(size))
	}
	raw, err := s.disk.piece(s.at+int64(k)*int64(rows*size), int64(min(rows, s.n-k*rows)*size))
	if err != nil {
		return nil, err
	}
	a.last = [2]piece{{k, raw}, a.last[0]}
	from := (i - k*rows) * size
	return append([]byte(nil), raw[from:from+size]...), nil
}
