# Reference values for agreement, robustness and saliency. Run in this folder: Rscript golden.R
suppressPackageStartupMessages({library(psych); library(pROC); library(geepack)})
set.seed(20240601)
options(digits = 17)
save_csv <- function(frame, file) write.csv(format(frame, digits = 17, trim = TRUE), file, row.names = FALSE, quote = FALSE)
eighths <- function(x) round(8 * x) / 8   # exact in binary, so that ties are ties in every language

# ---- intraclass correlations: psych ---------------------------------------------------------------------------
truth <- rnorm(40)
rating_sets <- list(
  good = sapply(1:3, function(rater) truth + rnorm(40, sd = .4)),
  leveled = sapply(1:4, function(rater) truth + rater / 2 + rnorm(40, sd = .3)),
  tied = sapply(1:3, function(rater) round(truth + rnorm(40, sd = .6))),
  unrelated = matrix(rnorm(60), 20), opposed = cbind(1:6, c(6, 4.5, 4, 3, 2, 1.5)), tiny = cbind(c(.1, .4, .9), c(.2, .3, .7)),
  almost_one = cbind(truth, truth + rnorm(40, sd = 1e-4)), parallel = cbind(1:8, 1:8 + rep(c(0, .5), 4), 3 + 1:8))
ratings <- correlations <- NULL
for (name in names(rating_sets)) {
  x <- rating_sets[[name]]
  ratings <- rbind(ratings, data.frame(set = name, case = as.vector(row(x)), rater = as.vector(col(x)), value = as.vector(x)))
  found <- suppressWarnings(ICC(x, lmer = FALSE))$results
  correlations <- rbind(correlations, data.frame(set = name, model = paste0("ICC", 1:3), value = found$ICC[1:3],
    low = found[1:3, "lower bound"], high = found[1:3, "upper bound"]))
}
save_csv(ratings, "ratings.csv"); save_csv(correlations, "intraclass.csv")

# ---- Cohen's kappa: psych; weighted standard errors by the delta method with numerical derivatives ----------------
# psych 2.2.9 takes rowSums(w * rs) for the mean weights of the second rater, which is only right for identity weights.
kappa_of <- function(p, w) { expected <- sum(w * outer(rowSums(p), colSums(p))) / sum(p); (sum(w * p) - expected) / (sum(p) - expected) }
delta_variance <- function(p, w, n) {
  gradient <- p
  for (i in seq_along(p)) { step <- 0 * p; step[i] <- 1e-5; gradient[i] <- (kappa_of(p + step, w) - kappa_of(p - step, w)) / 2e-5 }
  (sum(p * gradient^2) - sum(p * gradient)^2) / n
}
grade <- sample(1:4, 80, TRUE, c(.4, .3, .2, .1))
pair <- function(set, first, second) data.frame(set = set, first = first, second = second)
graded <- rbind(
  pair("ordered", grade, pmin(4, pmax(1, grade + sample(-1:1, 80, TRUE)))), pair("unrelated", grade, sample(1:4, 80, TRUE)),
  pair("binary", rep(c(0, 0, 1, 1), c(40, 5, 10, 45)), rep(c(0, 1, 0, 1), c(40, 5, 10, 45))),
  pair("rare", rep(c(0, 0, 1, 1), c(190, 4, 3, 3)), rep(c(0, 1, 0, 1), c(190, 4, 3, 3))), pair("tiny", c(1, 2, 3, 1), c(1, 3, 3, 2)),
  pair("opposed", c(1, 2, 3, 1, 2, 3, 1), c(3, 2, 1, 3, 3, 1, 2)), pair("other_categories", c(1, 1, 2, 2, 2), c(1, 3, 2, 3, 2)))
kappas <- NULL
for (name in unique(graded$set)) {
  one <- graded[graded$set == name, ]
  levels <- sort(unique(c(one$first, one$second))); k <- length(levels)
  p <- matrix(table(factor(one$first, levels), factor(one$second, levels)), k) / nrow(one)
  distance <- abs(outer(1:k, 1:k, "-")) / (k - 1)
  for (weights in c("none", "linear", "quadratic")) {
    w <- switch(weights, none = diag(k), linear = 1 - distance, quadratic = 1 - distance^2)
    found <- suppressMessages(cohen.kappa(cbind(one$first, one$second), w = w))
    row <- if (weights == "none") 1 else 2
    kappas <- rbind(kappas, data.frame(set = name, weights = weights, value = found$confid[row, 2], psych_variance = found$var.kappa,
      variance = delta_variance(p, w, nrow(one))))
  }
}
save_csv(graded, "graded.csv"); save_csv(kappas, "kappas.csv")

# ---- Friedman's test: base R ----------------------------------------------------------------------------------
treated <- tests <- NULL
for (name in c("plain", "tied", "shifted", "few")) {
  n <- if (name == "few") 4 else 30
  x <- matrix(rnorm(n * 4), n) + (name == "shifted") * outer(rep(1, n), c(0, .2, .4, .6))
  if (name == "tied") x <- round(x)
  found <- friedman.test(x)
  treated <- rbind(treated, data.frame(set = name, case = as.vector(row(x)), treatment = as.vector(col(x)), value = as.vector(x)))
  tests <- rbind(tests, data.frame(set = name, statistic = found$statistic, p = found$p.value))
}
save_csv(treated, "treated.csv"); save_csv(tests, "friedman.csv")

# ---- Wilcoxon's signed-rank test: base R ----------------------------------------------------------------------
drift <- function(set, first, second) data.frame(set = set, first = first, second = second)
drifts <- rbind(
  drift("exact", abs(rnorm(25)), abs(rnorm(25)) * 1.8), drift("49", abs(rnorm(49)), abs(rnorm(49))), drift("50", abs(rnorm(50)), abs(rnorm(50))),
  drift("tied", eighths(abs(rnorm(40))), eighths(abs(rnorm(40)) + .3)), drift("two", c(.5, .25), c(.125, .0625)),
  drift("one_differs", c(.25, .5, .5), c(.25, .5, .75)), drift("all_larger", (1:9)^2 / 64, (1:9) / 128))
ranks <- do.call(rbind, lapply(unique(drifts$set), function(name) {
  one <- drifts[drifts$set == name, ]
  found <- suppressWarnings(wilcox.test(one$first, one$second, paired = TRUE))
  data.frame(set = name, difference = mean(one$first - one$second), se = sd(one$first - one$second) / sqrt(nrow(one)), p = found$p.value)
}))
save_csv(drifts, "drifts.csv"); save_csv(ranks, "ranks.csv")

# ---- one perturbation with three draws, written from the definitions with loops ---------------------------------
psi <- function(x, y) (x > y) + 0.5 * (x == y)
placed <- function(label, score) {
  m <- outer(score[label == 1], score[label == 0], Vectorize(psi))
  list(auc = mean(m), v10 = rowMeans(m), v01 = colMeans(m))
}
set_of <- function(name, n, images, digits) {
  patient <- rep(seq_len(n), length.out = n * images); effect <- rnorm(n)[patient]
  label <- rbinom(length(patient), 1, plogis(effect)); original <- label + effect + rnorm(length(patient))
  draw <- function() round(original + rnorm(length(patient), sd = .5), digits)
  data.frame(set = name, patient = patient, label = label, original = round(original, digits), draw1 = draw(), draw2 = draw(), draw3 = draw())
}
perturbed <- rbind(set_of("single", 60, 1, 6), set_of("tied", 70, 1, 0), set_of("clustered", 25, 3, 1))
results <- NULL
for (name in unique(perturbed$set)) {
  one <- perturbed[perturbed$set == name, ]; draws <- as.matrix(one[, paste0("draw", 1:3)])
  before <- placed(one$label, one$original); after <- lapply(1:3, function(d) placed(one$label, draws[, d]))
  v10 <- Reduce(`+`, lapply(after, `[[`, "v10")) / 3 - before$v10; v01 <- Reduce(`+`, lapply(after, `[[`, "v01")) / 3 - before$v01
  m <- length(v10); n <- length(v01); who <- unique(one$patient); s10 <- s01 <- s11 <- 0
  for (k in who) {
    a <- sum(v10[one$patient[one$label == 1] == k] - mean(v10)); b <- sum(v01[one$patient[one$label == 0] == k] - mean(v01))
    s10 <- s10 + a^2; s01 <- s01 + b^2; s11 <- s11 + a * b
  }
  i <- length(who); i10 <- length(unique(one$patient[one$label == 1])); i01 <- length(unique(one$patient[one$label == 0]))
  variance <- i10 / (i10 - 1) * s10 / m^2 + i01 / (i01 - 1) * s01 / n^2 + 2 * i / (i - 1) * s11 / (m * n)
  flips <- decided <- 0
  for (d in 1:3) {
    for (x in which(one$label == 1)) for (y in which(one$label == 0))
      flips <- flips + abs(psi(draws[x, d], draws[y, d]) - psi(one$original[x], one$original[y])) / (3 * m * n)
    decided <- decided + ((draws[, d] >= .5) != (one$original >= .5)) / 3
  }
  moved <- rowMeans(abs(draws - one$original))
  results <- rbind(results, data.frame(set = name, auc = mean(sapply(after, `[[`, "auc")), auc_original = before$auc, se = sqrt(variance),
    mean_change = mean(sapply(who, function(k) mean(moved[one$patient == k]))), pair_flips = flips, decision_flips = mean(decided),
    decision_flips_positive = mean(decided[one$label == 1]), decision_flips_negative = mean(decided[one$label == 0])))
}
single <- perturbed[perturbed$set == "single", ]; curve <- function(score) roc(single$label, score, levels = c(0, 1), direction = "<", quiet = TRUE)
save_csv(perturbed, "perturbed.csv"); save_csv(results, "results.csv")
save_csv(data.frame(p = roc.test(curve(single$draw1), curve(single$original), method = "delong", paired = TRUE)$p.value), "one_draw.csv")

# ---- mean over images of patients with its clustered standard error: GEE with independence, times K / (K - 1) -----
patient <- rep(1:30, sample(1:4, 30, TRUE)); energy <- plogis(rnorm(30)[patient] + rnorm(length(patient)))
hit <- as.integer(energy + rnorm(length(patient), sd = .2) > .5); correct <- rbinom(length(patient), 1, .7)
summaries <- do.call(rbind, lapply(c("all", "right", "wrong"), function(which) {
  used <- switch(which, all = correct >= 0, right = correct == 1, wrong = correct == 0)
  k <- length(unique(patient[used]))
  se <- function(v) { who <- patient[used]; x <- v[used]
    sqrt(vcov(geeglm(x ~ 1, id = who, corstr = "independence", data = data.frame(x, who)))[1, 1] * k / (k - 1)) }
  data.frame(decisions = which, images = sum(used), patients = k, hit = mean(hit[used]), hit_se = se(hit), energy = mean(energy[used]), energy_se = se(energy))
}))
save_csv(data.frame(patient, energy, hit, correct), "heat.csv"); save_csv(summaries, "heat_summary.csv")

writeLines(c(R.version.string, sapply(c("psych", "pROC", "geepack"), function(p) paste(p, packageVersion(p)))), "versions.txt")
