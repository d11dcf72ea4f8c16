package main

import "fmt"

const (
	persons  = "people"
	octets   = "bytes"
	noPerson = 0
)

// askedGoal is how many milliseconds a question of an admin may take.
const askedGoal = 100

// largeRows are the table of a very large number of followers. What was not come to is left
// out.
func (b *bench) largeRows() (rows []row) {
	for _, driver := range b.dbs.drivers() {
		r := b.results.Large[driver]
		if r == nil {
			continue
		}
		at := fmt.Sprintf("%s, %s", grouped(b.Large.Followers), databaseNames[driver])
		for _, part := range [][]row{
			b.largePullRows(r, at), b.largeSendRows(r, at), askRows(r.During, "while it is sent, "+at),
			ledgerRows(r.ledgerResult, at), b.largeLaterRows(r, at),
		} {
			for _, one := range part {
				if len(one.Value) > 0 {
					rows = append(rows, one)
				}
			}
		}
	}
	return rows
}

// known is a series of a figure that is not 0 once it is measured.
func known(x float64) series {
	if x == 0 {
		return nil
	}
	return series{x}
}

func (b *bench) largePullRows(r *largeResult, at string) []row {
	return []row{
		alone("the first pull of "+at, r.Pull, seconds, noGoal),
		alone("its peak memory", r.PullMiB, mebibytes, atMost(64)),
		alone("the database, for a follower", known(r.PullBytes), octets, noGoal),
	}
}

func (b *bench) largeSendRows(r *largeResult, at string) []row {
	var rate, cpu series
	if r.Sends.Wall > 0 {
		rate, cpu = series{r.Sends.perSecond()}, series{r.Sends.micros()}
	}
	return []row{
		alone("the reply to the request, "+at, known(r.Asked), seconds, atMost(5)),
		alone("the first send after the undo window", known(r.First), seconds, atMost(1)),
		alone("its batches planned, from the start on", known(r.Planning), seconds, noGoal),
		against("sends meanwhile", known(r.WhilePlanned), perSecond, "afterwards", known(r.Planned), atLeast(0.8)),
		alone("sends from the first to the last, over HTTP", rate, perSecond, noGoal),
		against("a send", cpu, micros, "at "+grouped(b.Large.Smaller), known(r.Smaller.median()), atMost(1.1)),
		alone("peak memory of the processes that send", r.SendMiB, mebibytes, atMost(64)),
		alone(fmt.Sprintf("peak memory with %s receipts as fast as they go", grouped(b.Large.Receipts)), r.ReceiptMiB, mebibytes, atMost(128)),
		alone("these receipts beside the sends", known(r.Receipts), perSecond, noGoal),
		alone("from a kill -9 to the next send", r.Outage, seconds, noGoal),
		alone("the database, for a delivery", known(r.SendBytes), octets, noGoal),
	}
}

// askRows are the answers to what an admin asks, half of them and the slowest.
func askRows(a asks, when string) []row {
	var rows []row
	for _, of := range []struct {
		what string
		took series
	}{{"broadcast status", a.Status}, {"broadcast list", a.List}, {"the progress page", a.Page}} {
		rows = append(rows, alone(fmt.Sprintf("%s, of %d, %s", of.what, len(of.took), when), of.took, milliseconds, atMost(askedGoal)),
			alone("the slowest of them", of.took.worst(), milliseconds, atMost(askedGoal)))
	}
	return rows
}

func ledgerRows(r ledgerResult, at string) []row {
	if !r.Held {
		return nil
	}
	return []row{
		alone("reached twice, "+at, series{float64(r.Twice)}, persons, atMost(noPerson)),
		alone("lost", series{float64(r.Lost)}, persons, atMost(noPerson)),
		alone("uncertain", series{float64(r.Uncertain)}, persons, noGoal),
		alone("sent again under their old client_msg_id", series{float64(r.Repeated)}, persons, noGoal),
	}
}

func (b *bench) largeLaterRows(r *largeResult, at string) []row {
	rows := []row{
		alone("the second pull of "+at, r.Again, seconds, noGoal),
		alone("peak memory from then on", r.LaterMiB, mebibytes, atMost(64)),
	}
	rows = append(rows, askRows(r.After, "after the end, "+at)...)
	rows = append(rows, askRows(r.Gone, "while its deliveries are deleted, "+at)...)
	rows = append(rows,
		alone("from a start to the first deletion, "+at, known(r.Tally), seconds, noGoal),
		alone("deliveries deleted", known(r.Deleted), perSecond, noGoal))
	if r.Deleted > 0 {
		rows = append(rows, alone("all of them, by these two", series{r.Tally + float64(b.Large.Followers)/r.Deleted}, seconds, noGoal))
	}
	return rows
}
