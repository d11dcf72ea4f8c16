// Package simulator is a WeChat platform to rehearse on: the API of one Official Account over HTTP, its followers, the
// messages and receipts that it sends to the callback, its faults and limits, and a ledger of what each follower
// received.
//
// It can run inside a test,
//
//	sim, err := simulator.New(simulator.Options{Followers: 1000, Refusing: 10})
//	...
//	defer sim.Close()
//	err = sim.Start("127.0.0.1:0") // then sim.URL() is the API's base URL
//	err = sim.SetCallback(server.URL + "/wechat")
//	reply, err := sim.Say(ctx, sim.Follower(0), "openid")
//	stats := sim.Stats()
//
// or as a process of its own; what the methods do can then be asked for under /_sim/ (see README.md in this folder).
//
// It follows the platform's documentation where that says something and the reports of developers where it does not.
// Where both are silent, the choice is an option. It shares nothing with the program that it tries: a misreading of
// the platform must not be able to hide on both sides.
package simulator
