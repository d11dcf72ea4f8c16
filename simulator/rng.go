package simulator

// mix64 spreads every bit of x over all of the result (the finalizer of SplitMix64).
func mix64(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	return x
}

// rng makes the random choices of one call: a SplitMix64 sequence that starts from the seed, the follower and the
// number of the try, so that a run repeats itself whatever order its calls arrive in.
type rng struct{ state uint64 }

func newRNG(seed uint64, parts ...uint64) rng {
	state := mix64(seed + 0x9e3779b97f4a7c15)
	for _, part := range parts {
		state = mix64(state ^ mix64(part+0x9e3779b97f4a7c15))
	}
	return rng{state}
}

func (r *rng) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return mix64(r.state)
}

// float is a number of [0, 1).
func (r *rng) float() float64 { return float64(r.next()>>11) / (1 << 53) }

// chance is true at the given rate of 0 to 1.
func (r *rng) chance(rate float64) bool { return rate > 0 && r.float() < rate }

// between is a number from low to high, both included.
func (r *rng) between(low, high int64) int64 {
	if high <= low {
		return low
	}
	return low + int64(r.next()%uint64(high-low+1)) //nolint:gosec // high is above low
}
