package straggler

// window knows who was left out in which round, and whether that stays within the bursts that a sequential code is made for.
type window struct {
	b, w, lambda int
	out          [][]bool // by round and worker
}

func (x *window) add(late []bool) { x.out = append(x.out, append([]bool(nil), late...)) }

// fits reports whether late may be left out in round t: in the last w rounds there are then at most lambda different workers, and none that
// was left out b rounds ago or earlier in the window is so again.
func (x *window) fits(t int, late []bool) bool {
	distinct := append([]bool(nil), late...)
	for r := max(0, t-x.w+1); r < t; r++ {
		for w, was := range x.out[r] {
			if !was {
				continue
			}
			if late[w] && r <= t-x.b {
				return false
			}
			distinct[w] = true
		}
	}
	return count(distinct) <= x.lambda
}
