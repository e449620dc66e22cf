package tidemill.rival;

import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.data.binary.BinaryStringData;

/**
 * Page view number n of a seed: the same distribution as the loader's. Strings come from pools and one row object is
 * filled again and again, which Flink allows with object reuse.
 */
final class PageViews {
    private static final long FIRST_VIEW_MS = 1_767_225_600_000L;
    private static final long ROWS_PER_MS = 10;
    private static final int PAGES = 1_000;
    private static final long USERS = 1_000_000;
    private static final long LONGEST_VIEW_MS = 60_000;
    private static final String[] REFERRERS = {
        "https://search.example/", "https://news.example/today", "https://social.example/feed", "https://mail.example/inbox",
        "https://ads.example/spring", "https://shop.example/basket", "https://blog.example/latest", "https://www.example/",
    };

    private final long seed;
    private final StringData[] pages = new StringData[PAGES];
    private final StringData[] referrers = new StringData[REFERRERS.length];
    private final GenericRowData row = new GenericRowData(5);

    PageViews(long seed) {
        this.seed = seed;
        for (int page = 0; page < PAGES; page++) {
            pages[page] = pooled(String.format("/products/%04d", page));
        }
        for (int referrer = 0; referrer < REFERRERS.length; referrer++) {
            referrers[referrer] = pooled(REFERRERS[referrer]);
        }
    }

    RowData row(long number) {
        long bits = mix(seed ^ number);
        long more = mix(bits);
        row.setField(0, pages[(int) Math.min(((bits & 0xffff) * PAGES) >>> 16, ((bits >>> 16 & 0xffff) * PAGES) >>> 16)]);
        row.setField(1, (bits >>> 32) % USERS);
        row.setField(2, TimestampData.fromEpochMillis(FIRST_VIEW_MS + number / ROWS_PER_MS));
        row.setField(3, referrers[(int) (more & 7)]);
        row.setField(4, (more >>> 32) % LONGEST_VIEW_MS);
        return row;
    }

    private static StringData pooled(String text) {
        BinaryStringData data = BinaryStringData.fromString(text);
        data.ensureMaterialized();
        return data;
    }

    private static long mix(long value) {
        value += 0x9e3779b97f4a7c15L;
        value = (value ^ (value >>> 30)) * 0xbf58476d1ce4e5b9L;
        value = (value ^ (value >>> 27)) * 0x94d049bb133111ebL;
        return value ^ (value >>> 31);
    }
}
