/**
 * Loaded before each test file in CI: properties draw the same cases in every run, so that what fails there is the change, and it fails
 * again for whoever looks. By hand every run draws others.
 */
import fc from 'fast-check';

fc.configureGlobal({ seed: 20261122 });
