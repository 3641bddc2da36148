package straggler

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Trace is how long workers took: Seconds[w][r] is worker w in round r, with the share Load of the data. Slope is how many seconds all
// of the data take a worker beside, so that another load takes longer or shorter.
type Trace struct {
	Seconds [][]float64 `json:"seconds"`
	Load    float64     `json:"load"`
	Slope   float64     `json:"slope"`
	Cut     int         `json:"cut,omitempty"` // how many of the numbers are lower bounds: of who was left out when so much time was over
}

// Workers is the number of workers.
func (t *Trace) Workers() int { return len(t.Seconds) }

// Rounds is the number of rounds.
func (t *Trace) Rounds() int {
	if len(t.Seconds) == 0 {
		return 0
	}
	return len(t.Seconds[0])
}

// At is how long worker w takes in round r for a share of the data. Beyond the last round the trace begins anew.
func (t *Trace) At(w, r int, load float64) float64 {
	return max(t.Seconds[w][r%t.Rounds()]+(load-t.Load)*t.Slope, 0)
}

// Check refuses what is no trace.
func (t *Trace) Check() error {
	if t.Workers() == 0 || t.Rounds() == 0 {
		return errors.New("a trace without workers or rounds")
	}
	if t.Workers()*t.Rounds() > maxTrace {
		return fmt.Errorf("%d workers in %d rounds: more than %d numbers", t.Workers(), t.Rounds(), maxTrace)
	}
	for w, row := range t.Seconds {
		if len(row) != t.Rounds() {
			return fmt.Errorf("worker %d has %d rounds and worker 0 has %d", w, len(row), t.Rounds())
		}
		for r, x := range row {
			if !(x >= 0) || math.IsInf(x, 0) {
				return fmt.Errorf("worker %d, round %d: %v is no number of seconds", w, r, x)
			}
		}
	}
	if !(t.Load >= 0 && t.Load <= 1) {
		return fmt.Errorf("load %v: want a share of the data, 0 to 1", t.Load)
	}
	if !(t.Slope >= 0) || math.IsInf(t.Slope, 0) {
		return fmt.Errorf("slope %v: want seconds", t.Slope)
	}
	return nil
}

// maxTrace bounds the numbers of a trace that is read.
const maxTrace = 1 << 24

// ReadTrace reads a trace: JSON {"seconds":[[…] by worker],"load":L,"slope":C}, or a table with one row for each round and one column for
// each worker, with or without a row of names, separated by commas, semicolons or tabs. A table says nothing about load and slope.
func ReadTrace(r io.Reader) (*Trace, error) {
	raw, err := io.ReadAll(bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	t := &Trace{}
	if b := bytes.TrimSpace(raw); len(b) > 0 && (b[0] == '{' || b[0] == '[') {
		err = t.fromJSON(b)
	} else {
		err = t.fromTable(raw)
	}
	if err == nil {
		err = t.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	return t, nil
}

func (t *Trace) fromJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, &t.Seconds)
	}
	var also struct {
		Delays   [][]float64 `json:"delays"` // other names for the same
		BaseComp *float64    `json:"base_comp"`
	}
	if err := json.Unmarshal(b, t); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &also); err != nil {
		return err
	}
	if t.Seconds == nil {
		t.Seconds = also.Delays
	}
	if also.BaseComp != nil && t.Slope == 0 {
		t.Slope = *also.BaseComp
	}
	if t.Seconds == nil {
		return errors.New(`the JSON has no "seconds": want a list of numbers for each worker`)
	}
	return nil
}

func (t *Trace) fromTable(raw []byte) error {
	first, _, _ := bytes.Cut(raw, []byte("\n"))
	c := csv.NewReader(bytes.NewReader(raw))
	c.TrimLeadingSpace, c.Comment = true, '#'
	for _, sep := range ";\t" {
		if bytes.ContainsRune(first, sep) {
			c.Comma = sep
		}
	}
	n := 0
	for {
		rec, err := c.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		line, _ := c.FieldPos(0)
		if t.Seconds == nil {
			if _, err := strconv.ParseFloat(strings.TrimSpace(rec[0]), 64); err != nil && n == 0 {
				n++
				continue // names
			}
			t.Seconds = make([][]float64, len(rec))
		}
		for w, s := range rec {
			x, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
			if err != nil {
				return fmt.Errorf("line %d, column %d: %q is no number of seconds", line, w+1, s)
			}
			t.Seconds[w] = append(t.Seconds[w], x)
		}
		if n += len(rec); n > maxTrace {
			return fmt.Errorf("more than %d numbers", maxTrace)
		}
	}
}

// WriteJSON writes the trace as ReadTrace reads it.
func (t *Trace) WriteJSON(w io.Writer) error {
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
