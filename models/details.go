package models

// What the program itself notes in a delivery's Detail. After some of them, and
// ": ", stands what the last call brought. They are stored in English; whoever
// shows them has a sentence for each.
const (
	DetailUnrecorded = "begun and not recorded; too late to ask again"
	DetailEnded      = "begun, and the broadcast ended before it was known what came of it"
	DetailNoAnswer   = "no answer came while it was safe to ask again"
	DetailWithdrawn  = "said stop or left before the next call"
	DetailEarlier    = "an earlier call may have been taken"
)
