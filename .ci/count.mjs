// Adds up the reports of vitest and prints the line that CI reads. Fails when a test was left out of all of them.
import { readFileSync } from 'node:fs';

const reports = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, 'utf8')));
const ran = new Set();
const all = new Set();
for (const { name: file, assertionResults } of reports.flatMap(({ testResults }) => testResults)) {
  for (const { fullName, status } of assertionResults) {
    const test = `${file}: ${fullName}`;
    all.add(test);
    if (status === 'passed' || status === 'failed') ran.add(test);
  }
}
const leftOut = [...all].filter((test) => !ran.has(test));
for (const test of leftOut) console.log(`ran nowhere: ${test}`);
const sum = (key) => reports.reduce((total, report) => total + report[key], 0);
console.log(`${ran.size} different tests`);
console.log(`${sum('numPassedTests')} passed, ${sum('numFailedTests')} failed`);
process.exit(leftOut.length === 0 && reports.every((report) => report.success && report.numPassedTests > 0) ? 0 : 1);
