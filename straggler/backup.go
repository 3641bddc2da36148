package straggler

func init() {
	schemes.Register("backup", func() Scheme { return &Backup{} },
		"as none, but what is late is begun again by those who are done, and the first to finish counts",
		"https://research.google/pubs/mapreduce-simplified-data-processing-on-large-clusters/ (section 3.6)")
}

// Backup is plain waiting with backup tasks, as in MapReduce: workers that are done begin the work of those that are late once more.
type Backup struct{}

// String is the name.
func (*Backup) String() string { return "backup" }

// Plan is a run.
func (*Backup) Plan(workers, jobs int) (Plan, error) {
	c, err := newCrew(workers, jobs)
	if err != nil {
		return nil, err
	}
	return &backups{newUncoded(c)}, nil
}

type backups struct{ *uncoded }

// Backup hands the work of those who are late to those who are done, one after the other.
func (p *backups) Backup(t int, late []bool, done []int) [][]Task {
	more := make([][]Task, p.n)
	if len(done) == 0 {
		return more
	}
	k := 0
	for w, is := range late {
		if is {
			to := done[k%len(done)]
			more[to] = append(more[to], Task{t, w})
			k++
		}
	}
	return more
}
