package broadcast_test

import "time"

// The numbers that the tests hold the engine to.
const (
	codeInvalidOpenID = 40003            // the platform's refusal that is sometimes wrong
	goneStreak        = 20               // people who left in a row that pause a broadcast
	askAgainFor       = 9 * time.Minute  // how long a repetition is safe
	restAtMost        = 2 * time.Minute  // of a recipient between two calls
	laterAfter        = 65 * time.Second // the rest of somebody who was written to too often
	receiptsWithin    = time.Minute      // the notice of the end waits for the receipts
	contentFor        = 2 * time.Second  // how long refusals of the content must last to stop a broadcast
	keepClaims        = 75 * time.Second // a claim waits for the platform before it is given back
	reachableFor      = 2 * time.Second  // who could be written to still can
	stallAfter        = 3 * time.Minute  // a broadcast that gets no further is told of
)

// beijing is the platform's time zone.
var beijing = time.FixedZone("Asia/Shanghai", 8*60*60)
