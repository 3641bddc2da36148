package denoise

// Anneal is how the deviation of what AR-DAE adds falls: along a line from Max to Min, which it reaches when Over examples were seen.
// Where learning goes on beyond that it stays.
type Anneal struct {
	Max, Min float64
	Over     int // examples
}

// At is the deviation when so many examples were seen.
func (a Anneal) At(seen int) float64 {
	p := 1.0
	if seen+1 < a.Over {
		p = float64(seen+1) / float64(a.Over)
	}
	return a.Max*(1-p) + a.Min*p
}
