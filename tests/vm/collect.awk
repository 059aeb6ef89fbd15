# SPDX-License-Identifier: MIT
# Turn what the agent wrote for one boot into result lines and one log a test.
#
# usage: awk -v profile=NAME -v dir=LOGS -v results=FILE -f collect.awk MANIFEST RAW
#
# Every job of the profile comes out with at least one line. A job that wrote no
# result lines is judged by its TAP, if it printed any.

function add(verdict, test, reason) {
	gsub(/\t/, " ", reason)
	printf "%s\t%s\t%s\tvm\t%s\n", verdict, name, test, reason >>results
	reported++
	if (verdict == "FAIL")
		failed++
}

function tap_line(text,    test, reason) {
	if (text ~ /^1\.\.[0-9]+/) {
		planned = substr(text, 4) + 0
		return
	}
	if (text !~ /^(not )?ok( |$)/)
		return
	test = text
	sub(/^(not )?ok *[0-9]* *-? */, "", test)
	reason = test
	taps++
	if (sub(/ *# *[Ss][Kk][Ii][Pp][^ ]* */, "\t", reason)) {
		sub(/^.*\t/, "", reason)
		sub(/ *# *[Ss][Kk][Ii][Pp].*/, "", test)
		tap[taps] = "SKIP\t" test "\t" reason
	} else if (text ~ /^not/)
		tap[taps] = "FAIL\t" test "\tsee the log"
	else
		tap[taps] = "PASS\t" test "\t"
}

function use_tap(    i, part) {
	for (i = 1; i <= taps; i++) {
		split(tap[i], part, "\t")
		add(part[1], part[2], part[3])
	}
	if (planned >= 0 && planned != taps)
		add("FAIL", "*", planned " tests planned, " taps " reported")
}

function end(status,    wrote) {
	wrote = reported
	if (!wrote)
		use_tap()
	if (status == "exit 77" && !reported)
		add("SKIP", "*", last)
	else if (status == "timeout")
		add("FAIL", "*", "timeout")
	else if (status != "exit 0" && status != "exit 77" && !failed)
		add("FAIL", "*", status)
	else if (!reported)
		add("FAIL", "*", status ", but nothing reported")
	name = ""
}

BEGIN {
	FS = "\t"
	name = ""
}

FNR == NR {
	if ($1 == profile)
		jobs[++njobs] = $2
	next
}

$1 == "@start" {
	name = $2
	ran[name] = 1
	log_file = dir "/" name ".log"
	printf "" >log_file
	reported = failed = taps = 0
	planned = -1
	last = ""
	next
}

$1 == "@result" {
	sub(/^@result\t/, "")
	print >>results
	if ($1 == "FAIL")
		failed++
	if ($1 != "COUNT")
		reported++
	next
}

$1 == "@end" {
	print $2 "\t" $3 "\t" $4 >(dir "/times")
	close(log_file)
	end($3)
	next
}

$1 == "@done" {
	done = 1
	next
}

/^\|/ && name != "" {
	last = substr($0, 2)
	print last >log_file
	tap_line(last)
}

END {
	if (name != "")
		add("FAIL", "*", "the kernel died or hung in this test")
	for (i = 1; i <= njobs; i++) {
		name = jobs[i]
		if (!(name in ran))
			add("FAIL", "*", "never started, the kernel died or hung before")
	}
	if (!done && njobs && (jobs[njobs] in ran) && name == "")
		add("FAIL", "*", "the kernel did not end in order")
}
