/** The README.txt of a bundle: for whoever finds it. It must not say anything of what is inside. */
export function readmeText(marking: string | undefined): string {
  const marked = marking === undefined ? '' : `Marking: ${marking.replace(/[^\x20-\x7e]/g, '?')}\n\n`
  return `${marked}This folder is a Holdfast bundle: data on its way from one storage site to another.

It is encrypted and signed. Only the site that it is meant for can read it.

If you have found it: please do not change, rename or delete anything, and hand it to
the person or office whose name is on the medium or its envelope.

If you are to import it:    holdfast bundle import SITE FOLDER...
To check the files:         holdfast bundle verify FOLDER... --site SITE
Without Holdfast:           sha512sum -c SHA512SUMS

Missing or damaged volumes can often be rebuilt from the parity files: try the import
before you ask for another copy.
`
}
