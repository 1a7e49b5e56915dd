/**
 * @NApiVersion 2.1
 * @NScriptType UserEventScript
 * @NModuleScope SameAccount
 *
 * Tells commerce-sync that a record was saved, so that it reads earlier than it would by itself. Nothing depends on it:
 * a hint that does not arrive is made up for by the next poll.
 *
 * What it sends, as JSON: the record's type, its internal id, the kind of event and the time. No field of the record.
 *
 * To deploy it
 *   1. Setup > Company > Preferences > API Secrets: create a secret, for instance custsecret_commerce_sync, with a random
 *      text of at least 32 characters. Restrict it to this script. commerce-sync is given the same text.
 *   2. Put this file into the File Cabinet below SuiteScripts, then Customization > Scripting > Scripts > New.
 *   3. Add two script parameters of type Free-Form Text:
 *        custscript_commerce_sync_url     where commerce-sync listens, https://…/hooks/netsuite
 *        custscript_commerce_sync_secret  the script id of the secret, not the secret itself
 *   4. Deploy it once for each type of record: Item Fulfillment, Inventory Adjustment, Customer and so on. Give the
 *      parameters on the deployment and set its log level to Error.
 *   5. Under Context Filtering take CSV Import and Mass Update away: a hint for each of 50,000 rows says no more than one.
 *
 * What it costs: 10 of the 1,000 units that a user event may use (https.post; signing is free), and the time until
 * commerce-sync has answered. NetSuite gives up a connection after 5 seconds and a request after 45, and a script cannot
 * ask for less; whoever saves waits that long at worst. If commerce-sync is to be away for hours, take Deployed away.
 *
 * To replace the secret, give commerce-sync the new one beside the old one first, then change it here (NetSuite may need
 * an hour), then take the old one away.
 */
define(['N/crypto', 'N/encode', 'N/https', 'N/log', 'N/runtime'], (crypto, encode, https, log, runtime) => {
    'use strict';

    const ANSWER_SHOWN = 200;

    const parameter = (name) => runtime.getCurrentScript().getParameter({ name: `custscript_commerce_sync_${name}` });

    const sign = (text, secret) => {
        const key = crypto.createSecretKey({ secret, encoding: encode.Encoding.UTF_8 });
        const hmac = crypto.createHmac({ algorithm: crypto.HashAlg.SHA256, key });
        hmac.update({ input: text, inputEncoding: encode.Encoding.UTF_8 });
        return hmac.digest({ outputEncoding: encode.Encoding.HEX });
    };

    const tell = (context) => {
        const record = context.newRecord || context.oldRecord;
        const url = parameter('url');
        const secret = parameter('secret');
        if (!url || !secret) {
            log.error({ title: 'commerce-sync', details: 'the deployment lacks its url or its secret' });
            return;
        }
        const now = new Date();
        const time = String(now.getTime());
        const body = JSON.stringify({
            record: String(record.type),
            id: record.id ? String(record.id) : undefined,
            type: String(context.type),
            at: now.toISOString(),
        });
        const answer = https.post({
            url,
            body,
            headers: {
                'Content-Type': 'application/json',
                'X-Commerce-Sync-Time': time,
                'X-Commerce-Sync-Signature': `v1=${sign(`${time}.${body}`, secret)}`,
            },
        });
        if (answer.code < 200 || answer.code > 299) {
            const details = `answered ${answer.code}: ${String(answer.body).slice(0, ANSWER_SHOWN)}`;
            log.error({ title: 'commerce-sync', details });
        }
    };

    /** Never throws: the record is saved already, and other scripts come after this one. */
    const afterSubmit = (context) => {
        try {
            tell(context);
        } catch (error) {
            try {
                log.error({ title: 'commerce-sync', details: `not told: ${error.name}: ${error.message}` });
            } catch (ignored) {
                // Not even the log can be written; the poll makes up for it.
            }
        }
    };

    return { afterSubmit };
});
