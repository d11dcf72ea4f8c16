package models

// Counts is how many deliveries of a broadcast are in each state.
type Counts struct {
	Sending, Accepted, Delivered, Blocked, Failed, Uncertain int64
}

// Tried is how many recipients were tried.
func (c Counts) Tried() int64 {
	return c.Sending + c.Accepted + c.Delivered + c.Blocked + c.Failed + c.Uncertain
}

// Taken is how many messages the platform took, whatever became of them.
func (c Counts) Taken() int64 { return c.Accepted + c.Delivered + c.Blocked }
