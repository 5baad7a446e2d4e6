// What a program saw goes to the test as one JSON object a line.

export function tell(event, facts = {}) {
  process.stdout.write(JSON.stringify({ event, ...facts }) + '\n');
}

// tellError tells everything a person debugging with this client could read off the error.
export function tellError(step, err) {
  tell('error', {
    step,
    name: err?.constructor?.name,
    message: String(err?.message ?? err),
    code: err?.code,
    status: err?.status ?? err?.data?.status,
    body: err?.data?.text,
    requiredScope: err?.requiredScope,
    resourceMetadata: err?.resourceMetadataUrl && String(err.resourceMetadataUrl),
    description: err?.errorDescription,
    cause: err?.cause && String(err.cause?.message ?? err.cause),
  });
}
