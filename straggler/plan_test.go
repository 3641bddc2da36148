package straggler

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// every is each scheme with parameters that differ in kind.
var every = []string{
	"none", "backup", "gc:s=0", "gc:s=1", "gc:s=3", "gc:s=2:code=cyclic", "gc:s=2:code=cyclic:strict=true", "sr-sgc:B=1:W=2:lambda=3",
	"sr-sgc:B=2,W=5,lambda=4", "sr-sgc:B=2:W=3:lambda=5:code=cyclic", "m-sgc:B=1:W=2:lambda=3", "m-sgc:B=2:W=4:lambda=5",
	"m-sgc:B=2:W=3:lambda=8", "m-sgc:B=1:W=3:lambda=2:code=cyclic", "m-sgc:B=1:W=2:lambda=0",
}

// TestEveryJobDecodes has workers late at random, in bursts and alone, and wants the sum of each job to be that of all data, in time.
func TestEveryJobDecodes(t *testing.T) {
	const n, jobs = 8, 25
	for _, spec := range every {
		s, err := Parse(spec)
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for seed := range uint64(30) {
			c := DefaultSynthetic()
			c.Late, c.Stay, c.Cold = 0.02+0.01*float64(seed), 0.1*float64(seed%9), int(seed%5)
			tr, err := c.Trace(n, jobs+9, seed)
			if err != nil {
				t.Fatal(err)
			}
			p, err := s.Plan(n, jobs)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(seed, 0))
			data := make([]float64, p.Weight()) // the gradient of each unit of the data
			want := 0.0
			for i := range data {
				data[i] = r.NormFloat64()
				want += data[i]
			}
			crew := &simulated{t: tr, p: p, o: Simulation{Rule: Rule{Mu: 1}}}
			done := 0
			o, err := Run(t.Context(), p, jobs, crew, Rule{Mu: 1, Early: seed%2 == 0}, func(round int) error {
				job := round - p.Delay()
				if job < 0 {
					return nil
				}
				parts, ok := p.Decode(job)
				if !ok {
					t.Fatalf("%v: job %d is not there after round %d", s, job, round)
				}
				got := 0.0
				for _, x := range parts {
					for _, term := range p.Blocks()[x.Block].Terms {
						for i := term.Lo; i < term.Hi; i++ {
							got += x.Coef * term.Coef * data[i]
						}
					}
				}
				if math.Abs(got-want) > 1e-9 {
					t.Fatalf("%v: job %d is %v, want %v", s, job, got, want)
				}
				done++
				return nil
			})
			if err != nil || done != jobs || len(o.Rounds) != jobs+p.Delay() {
				t.Fatalf("%v: %d of %d jobs in %d rounds, %v", s, done, jobs, len(o.Rounds), err)
			}
			left += o.Left
		}
		coded := s.String() != "none" && s.String() != "backup" && !strings.Contains(spec, "s=0") && !strings.Contains(spec, "lambda=0")
		if coded != (left > 0) {
			t.Errorf("%v left %d answers out", s, left)
		}
		if again, err := Parse(s.String()); err != nil || again.String() != s.String() {
			t.Errorf("%v is read as %v, %v", s, again, err)
		}
	}
}

// TestLoadIsWhatIsAssigned compares the load that a scheme claims with what it hands out in a full round.
func TestLoadIsWhatIsAssigned(t *testing.T) {
	for _, spec := range every {
		s, _ := Parse(spec)
		p, err := s.Plan(8, 30)
		if err != nil {
			t.Fatal(err)
		}
		for r := range 12 {
			for w, x := range p.Assign(r) {
				weight := 0
				for _, task := range x {
					weight += p.Blocks()[task.Block].Weight()
				}
				if got := float64(weight) / float64(p.Weight()); got > p.Load()+1e-12 || math.Abs(got-Share(p, x)) > 1e-12 ||
					r >= p.Delay() && !strings.Contains(spec, "lambda=8") && math.Abs(got-p.Load()) > 1e-12 {
					t.Errorf("%v round %d worker %d: load %v, says %v and %v", s, r, w, got, p.Load(), Share(p, x))
				}
			}
			p.Close(r, make([]bool, 8))
		}
	}
}

func TestRefused(t *testing.T) {
	for spec, want := range map[string]string{
		"gcc": "did you mean", "gc:s=-1": "must be in", "gc:s=8": "0 to 7 stragglers", "sr-sgc:B=2:W=4": "multiple of B",
		"m-sgc:B=2:W=2": "larger than B", "m-sgc:lambda=9": "0 to 8", "sr-sgc:lambda=9": "0 to 8", "gc:code=raptor": "there are",
		"m-sgc:B=0": "must be in",
	} {
		s, err := Parse(spec)
		if err == nil {
			_, err = s.Plan(8, 4)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}

// TestBackup works a round out by hand: the slow one would take 10, a fast one that begins its work at 2 has it at 3.
func TestBackup(t *testing.T) {
	tr := &Trace{Seconds: [][]float64{{1}, {1.5}, {10}, {1.25}}}
	o, err := Simulate(&Backup{}, tr, 1, Simulation{Rule: Rule{Mu: 1}})
	if err != nil || o.Seconds != 3 || o.Again != 1 || o.Left != 0 {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestEarly works one out by hand: two are late where one may be, and the first of them ends the round.
func TestEarly(t *testing.T) {
	tr := &Trace{Seconds: [][]float64{{1}, {4}, {9}, {1}}}
	for early, want := range map[bool]float64{true: 4, false: 9} {
		o, err := Simulate(&GC{S: 1, Code: Cyclic}, tr, 1, Simulation{Rule: Rule{Mu: 1, Early: early}})
		if err != nil || o.Seconds != want || o.Waits != 1 {
			t.Errorf("early %v: %+v, %v", early, o, err)
		}
	}
}

func TestReadTrace(t *testing.T) {
	want := [][]float64{{1, 3}, {2, 4.5}}
	for _, text := range []string{
		"1,2\n3,4.5\n", "a,b\n1,2\n3,4.5", "1;2\n3;4.5\n", "w0\tw1\n1\t2\n3\t4.5\n", `{"seconds":[[1,3],[2,4.5]]}`, `[[1,3],[2,4.5]]`,
		`{"delays":[[1,3],[2,4.5]],"base_comp":0.5}`, "# seconds\n1, 2\n3, 4.5\n",
	} {
		tr, err := ReadTrace(strings.NewReader(text))
		if err != nil || tr.At(0, 0, 0) != want[0][0] || tr.At(1, 1, 0) != want[1][1] || tr.Workers() != 2 || tr.Rounds() != 2 {
			t.Errorf("%q: %+v, %v", text, tr, err)
		}
	}
	for text, say := range map[string]string{
		"": "without workers", "a,b\n": "without workers", "1,2\n3\n": "fields", "1,x\n": "no number", "1,-2\n": "no number of seconds",
		`{"seconds":[[1],[2,3]]}`: "rounds", `{"x":1}`: "no \"seconds\"", `{"seconds":[[1]],"load":2}`: "load", "nan\n": "no number",
	} {
		if _, err := ReadTrace(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v, want %q", text, err, say)
		}
	}
	var b strings.Builder
	was := &Trace{Seconds: want, Load: 0.25, Slope: 2}
	if err := was.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	back, err := ReadTrace(strings.NewReader(b.String()))
	if err != nil || back.At(1, 0, 0.5) != 2.5 || back.At(0, 2, 0) != 0.5 {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestSynthetic(t *testing.T) {
	s, err := ParseSynthetic("late=0.1,stay=0.5:slow=4")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := s.Trace(50, 2000, 1)
	if err != nil {
		t.Fatal(err)
	}
	late, stay, all := 0, 0, 0
	for _, row := range tr.Seconds {
		for k, x := range row {
			all++
			if x > 2.5 {
				late++
				if k > 0 && row[k-1] > 2.5 {
					stay++
				}
			}
		}
	}
	// The chain is late 0.1/(0.1+0.5) of the time.
	if got := float64(late) / float64(all); math.Abs(got-1.0/6) > 0.01 {
		t.Errorf("late %v of the time, want 1/6", got)
	}
	if got := float64(stay) / float64(late); math.Abs(got-0.5) > 0.02 {
		t.Errorf("stays with %v, want 0.5", got)
	}
	if back, err := ParseSynthetic(s.String()); err != nil || back != s {
		t.Errorf("%v, %v", back, err)
	}
	if _, err := ParseSynthetic("lat=1"); err == nil || !strings.Contains(err.Error(), "did you mean") {
		t.Error(err)
	}
}

// TestSelect has one worker late in every second round: what stands one straggler at the least load is best.
func TestSelect(t *testing.T) {
	tr := &Trace{Slope: 2, Seconds: make([][]float64, 8)}
	for w := range tr.Seconds {
		for r := range 24 {
			x := 1.0
			if r%2 == 0 && r/2%8 == w {
				x = 20
			}
			tr.Seconds[w] = append(tr.Seconds[w], x)
		}
	}
	best, tried, err := Select(t.Context(), tr, Search{Simulation: Simulation{Rule: Rule{Mu: 1}}, MaxDelay: 3})
	if err != nil || tried < 50 || len(best) != 5 {
		t.Fatal(best, tried, err)
	}
	if last := best[len(best)-1]; last.Scheme.String() != "none" {
		t.Errorf("%v is slower than waiting", last.Scheme)
	}
	for k := 1; k < len(best); k++ {
		if best[k].Outcome.Seconds < best[k-1].Outcome.Seconds {
			t.Error("not in order")
		}
	}
	small, _, err := Select(t.Context(), tr, Search{Simulation: Simulation{Rule: Rule{Mu: 1}}, MaxDelay: 3, MaxLoad: 0.125})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range small {
		if c.Outcome.Load > 0.125 || c.Scheme.String() == "backup" {
			t.Errorf("%v needs more data than there may be", c.Scheme)
		}
	}
	if names := slices.Sorted(slices.Values(simplest)); !slices.Equal(names, schemes.Names()) {
		t.Errorf("%v are chosen from, there are %v", names, schemes.Names())
	}
	even := &Trace{Seconds: [][]float64{{1, 1, 1, 1}, {1, 1, 1, 1}}}
	best, _, err = Select(t.Context(), even, Search{Simulation: Simulation{Rule: Rule{Mu: 1}}, MaxDelay: 1})
	if err != nil || best[0].Scheme.String() != "none" {
		t.Errorf("nobody is late, and %v is chosen, %v", best[0].Scheme, err)
	}
	if none, _, err := Select(t.Context(), tr, Search{Simulation: Simulation{Rule: Rule{Mu: 1}}}); err != nil || len(none) != 3 {
		t.Errorf("without a delay: %v, %v", none, err)
	}
}
