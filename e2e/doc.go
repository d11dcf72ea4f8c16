// Package e2e tries the whole program as its users run it: the built binary as
// one process, the simulated platform as another, both on 127.0.0.1, and the
// platform's ledger as the judge of who received what.
//
//	go test ./e2e                                      on SQLite, small numbers
//	TEST_MYSQL_URL=mysql://root@127.0.0.1:3306/ …      on MySQL or MariaDB as well
//	E2E_FULL=1 …                                       the full numbers, and throughput
//	make crash                                         200 kills, and a table of what came of them
//	go test -short ./e2e                               what needs no broadcast to run
package e2e
