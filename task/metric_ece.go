package task

func init() {
	metrics.Register("ece", Metric{Lower: true, Make: func(t *Task) Meter {
		if !t.HasClasses() {
			return nil
		}
		return &ece{}
	}}, "expected calibration error: how far confidence and accuracy are apart, in 15 bins of confidence",
		"https://arxiv.org/abs/1706.04599")
}

// ece is the error of a Reliability.
type ece struct{ Reliability }

// Value is Reliability.ECE.
func (m *ece) Value() float64 { return m.ECE() }
